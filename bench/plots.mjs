// What a plot says more about than a table.
import { LineChart } from 'echarts/charts'
import { GridComponent, TitleComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'

use([LineChart, GridComponent, TitleComponent, SVGRenderer])

/** [file name, SVG] of each. */
export function plots({ rebuilds, zombies }) {
  const drawn = []
  if (rebuilds !== undefined) drawn.push(['rebuild', rebuildPlot(rebuilds)])
  if (zombies !== undefined) drawn.push(['zombies', zombiePlot(zombies)])
  return drawn
}

const rebuildPlot = (rebuilds) =>
  draw({
    title: { text: 'A rebuild against the number of registrations' },
    xAxis: { ...axis('registrations'), type: 'log' },
    yAxis: { ...axis('milliseconds of processor time'), type: 'log' },
    series: [
      line('genpoll', rebuilds.map(({ count, ours }) => [count, ours / 1e6])),
      line('C twin', rebuilds.map(({ count, beside }) => [count, beside / 1e6])),
    ],
  })

const zombiePlot = (zombies) =>
  draw({
    title: { text: 'Processor time against new zombies, 10,000 registrations' },
    xAxis: { ...axis('new zombies a second'), type: 'category' },
    yAxis: { ...axis('% of a processor'), min: 0, max: 100 },
    series: [line('genpoll', zombies.map(({ perSecond, cpu }) => [`${perSecond}`, 100 * cpu]))],
  })

const axis = (name) => ({ name, nameLocation: 'middle', nameGap: 35 })

const line = (name, data) => ({ type: 'line', name, data, endLabel: { show: true, formatter: '{a}' } })

function draw(option) {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 640, height: 420 })
  chart.setOption({ animation: false, backgroundColor: '#fff', grid: { right: 80 }, ...option })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}
