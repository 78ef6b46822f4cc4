const general = `genpoll: Linux epoll for Node.js, on the command line

Usage
  genpoll demo              a tour on real descriptors, which ends by itself
  genpoll watch [options]   print one JSON line for each event of real descriptors
  genpoll COMMAND --help    what a command takes and prints
  genpoll --version

Status: 0 done, 1 something failed, 2 the command line is at fault.
`

const demo = `genpoll demo: a tour on real descriptors, which ends by itself in a few seconds

Usage
  genpoll demo

It waits in one Epoll for an eventfd that a worker thread writes, a timerfd, a signal that a child
process sends, a child's exit, and a FIFO that a shell writes to. Then it closes a descriptor whose
event is on its way and gives the number to another file: the event is dropped. A table of what was
seen comes last.

Colours are for terminals; NO_COLOR=1 turns them off. Status: 0, or 1 if something wasn't seen.
`

const watch = `genpoll watch: print one JSON line for each event of real descriptors

Usage
  genpoll watch [options]

What to watch: one option at least; all but --stdin may be repeated
  --fd N[:WORDS]    A descriptor that the command inherits, as 3 in "genpoll watch --fd 3 3<fifo".
                    It is not read. WORDS, separated by commas (in,et unless told):
                      in out pri rdhup   what to wait for; err and hup are reported in any case
                      et                 edge-triggered, the default: a line when something arrives
                      oneshot            one line, then it is no longer watched
                      lt                 level-triggered: a line when what is ready changes, looked
                                         at every 100 ms while it is ready
                    After hup it is no longer watched. A number that you didn't pass may be one of
                    Node's own.
  --timer DURATION  A timer that fires again and again.
  --signal NAME     A signal: USR2, SIGUSR2 or 12. INT and TERM end the command, unless they are
                    watched.
  --pid N           A process, until it has ended. It needn't be a child.
  --fifo PATH       A FIFO, which is read. It stays watched when its writers are gone: others may
                    come.
  --stdin           Standard input, which is read to its end: a pipe, a terminal or a socket.

When to end: on Ctrl-C or SIGTERM, when nothing is left to watch, when the reader of the output
goes away, and
  --count N         after N lines
  --for DURATION    after that time
  -h, --help        This text.

DURATION: 500ms, 10s, 1.5s, 2m; a plain number is milliseconds.

Fields of each line
  t                 milliseconds since the start
  source            "fd", "timer", "signal", "pid", "fifo" or "stdin"
  fd                the number of the descriptor
  generation        which meaning of that number it is; genpoll counts them
  events            what epoll reported: "in", "out", "pri", "rdhup", "err", "hup";
                    empty: it is not ready any more (lt)
and for a timer
  intervalMs        what --timer said
  expirations       how often it has fired since the line before
for a signal
  signal            its name
  pid, uid          the process that sent it, and its user; 0 if the kernel did
for a process
  pid               which one
  exit              {"code": 7, "signal": null} or {"code": null, "signal": "SIGKILL"}; null where
                    the kernel can't tell: before Linux 6.15, or while the parent of the process
                    hasn't asked
for a FIFO (with its path) and for standard input
  bytes             how many were read; none, without eof: another reader was faster
  data              as UTF-8 text; a character that is split comes with its last byte
  eof               the writers are gone: there is nothing more to read

Status: 0 when it ended in one of the ways above, 1 if something failed, 2 if the options are wrong.

Examples
  genpoll watch --timer 500ms --count 3
  mkfifo /tmp/bell && genpoll watch --fifo /tmp/bell --signal USR2 --for 1m | jq .source
`

/** What `--help` prints, by command; `''` is for no command. */
export const help = { '': general, demo, watch }
