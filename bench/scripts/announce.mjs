/** For servers on the loop of their runtime: tells the port, and ends when stdin does. */
export function announce(port) {
  console.log(port)
  process.stdin.on('end', () => process.exit()).resume()
}
