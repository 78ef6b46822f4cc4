// What a plot says more about than a table.
import { BarChart, LineChart } from 'echarts/charts'
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'

use([BarChart, LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer])

/** [file name, SVG] of each. */
export function plots({ rebuilds, zombies, servers }) {
  const drawn = []
  if (rebuilds !== undefined) drawn.push(['rebuild', rebuildPlot(rebuilds)])
  if (zombies !== undefined) drawn.push(['zombies', zombiePlot(zombies)])
  if (servers !== undefined) {
    drawn.push(['servers', serverPlot(servers)], ['latencies', latencyPlot(servers)])
  }
  return drawn
}

function serverPlot(servers) {
  const bars = (name, part) => ({
    type: 'bar',
    name,
    stack: 'a request',
    data: servers.map((server) => (server.relative * part(server)) / server.total),
  })
  const data = servers.map(({ name, relative }) => `${name}\n${relative.toFixed(2)}`)
  return draw({
    title: { text: 'Processor time of an HTTP request, C = 1' },
    legend: { top: 'bottom' },
    xAxis: { type: 'category', data },
    yAxis: { type: 'value' },
    series: [
      bars('in the kernel', ({ total, user }) => total - user),
      bars('outside it', ({ user }) => user),
    ],
  })
}

function latencyPlot(servers) {
  return draw({
    title: { text: 'HTTP, 64 connections: how many requests are answered sooner' },
    legend: { top: 'bottom' },
    xAxis: { ...axis('microseconds'), type: 'log' },
    yAxis: { ...axis('% of the requests'), min: 0, max: 100 },
    series: servers.map(({ name, latencies }) => ({
      type: 'line',
      name,
      showSymbol: false,
      data: latencies.map((ns, i) => [ns / 1000, (100 * i) / latencies.length]),
    })),
  })
}

function rebuildPlot(rebuilds) {
  const line = (name, whose) => ({
    type: 'line',
    name,
    data: rebuilds.map((rebuild) => [rebuild.registered, rebuild[whose] / 1e6]),
  })
  return draw({
    title: { text: 'A rebuild against the number of registrations' },
    legend: { top: 'bottom' },
    xAxis: { ...axis('registrations'), type: 'log' },
    yAxis: { ...axis('milliseconds of processor time'), type: 'log' },
    series: [line('genpoll', 'ours'), line('C twin', 'beside')],
  })
}

function zombiePlot({ registered, rates }) {
  const data = rates.map(({ perSecond, cpu }) => [`${perSecond}`, 100 * cpu])
  return draw({
    title: {
      text: `Processor time against zombies, ${registered.toLocaleString('en')} registrations`,
    },
    xAxis: { ...axis('new zombies a second'), type: 'category' },
    yAxis: { ...axis('% of a processor'), min: 0, max: 100 },
    series: [{ type: 'line', data }],
  })
}

const axis = (name) => ({ name, nameLocation: 'middle', nameGap: 35 })

function draw(option) {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 640, height: 420 })
  chart.setOption({ animation: false, backgroundColor: '#fff', ...option })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}
