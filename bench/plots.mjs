// What a plot says more about than a table.
import { BarChart, LineChart, ScatterChart } from 'echarts/charts'
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'

use([
  BarChart,
  LineChart,
  ScatterChart,
  GridComponent,
  LegendComponent,
  TitleComponent,
  SVGRenderer,
])

/** [file name, SVG] of each. */
export function plots({ figures, rebuilds, zombies, servers }) {
  const drawn = []
  const ratios = figures.filter(({ unit, goal }) => unit === '' && goal !== undefined)
  if (ratios.length > 0) drawn.push(['ratios', ratioPlot(ratios)])
  if (rebuilds !== undefined) drawn.push(['rebuild', rebuildPlot(rebuilds)])
  if (zombies !== undefined) drawn.push(['zombies', zombiePlot(zombies)])
  if (servers !== undefined) {
    drawn.push(['servers', serverPlot(servers)], ['latencies', latencyPlot(servers)])
  }
  return drawn
}

/** The shorter the better, and no longer than to the mark. */
function ratioPlot(ratios) {
  const data = ratios.map(({ work, besides }) => `${work.replaceAll('`', '')} (${besides})`)
  const values = ratios.map(({ value }) => Number(value.toFixed(2)))
  const goals = ratios.map(({ goal }) => goal)
  return draw(
    {
      title: { text: 'genpoll’s time or memory, beside that of others = 1' },
      legend: { top: 'bottom' },
      grid: { left: 390, right: 50, top: 50, bottom: 60 },
      xAxis: { type: 'value' },
      yAxis: {
        type: 'category',
        data,
        inverse: true,
        axisLabel: { fontSize: 11, width: 380, overflow: 'truncate' },
      },
      series: [
        { type: 'bar', name: 'measured', data: values, label: { show: true, position: 'right' } },
        { type: 'scatter', name: 'goal', symbol: 'rect', symbolSize: [3, 14], data: goals },
      ],
    },
    { width: 900, height: 100 + 26 * ratios.length },
  )
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

function draw(option, size = { width: 640, height: 420 }) {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...size })
  chart.setOption({ animation: false, backgroundColor: '#fff', ...option })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}
