{
  'variables': {
    # node-gyp rebuild --werror=1: warnings are errors (`npm run check`).
    'werror%': 0,
    # node-gyp rebuild --sanitize=address,undefined (scripts/asan.mjs).
    'sanitize%': '',
  },
  'targets': [
    {
      'target_name': 'genpoll',
      'conditions': [
        ['OS=="linux"', {
          'sources': [
            'src/addon.cc',
            'src/address.cc',
            'src/epoll.cc',
            'src/eventfd.cc',
            'src/evict.cc',
            'src/fd.cc',
            'src/fd_table.cc',
            'src/host_loop.cc',
            'src/host_poll.cc',
            'src/host_thread.cc',
            'src/interest.cc',
            'src/interest_entry.cc',
            'src/interest_list.cc',
            'src/interest_replace.cc',
            'src/message.cc',
            'src/pidfd.cc',
            'src/probe.cc',
            'src/same_file.cc',
            'src/signal_mask.cc',
            'src/signalfd.cc',
            'src/socket.cc',
            'src/tasks.cc',
            'src/timerfd.cc',
            'src/witness.cc',
          ],
          'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")'],
          'defines': [
            'NAPI_VERSION=8',
            'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
            'NODE_ADDON_API_DISABLE_DEPRECATED',
          ],
          # These come after Node's own flags, so that ours win.
          'cflags_cc': [
            '-std=c++17',
            '-O2',
            '-Wall',
            '-Wextra',
            '-fvisibility=hidden',
            '-fno-exceptions',
            '-fno-rtti',
          ],
          # Node unloads an addon with its last worker. The signal handler and the descriptor table must
          # outlive that.
          'ldflags': ['-Wl,-z,nodelete'],
          'conditions': [
            ['werror==1', {'cflags_cc': ['-Werror']}],
            ['sanitize!=""', {
              'cflags_cc': [
                '-fsanitize=<(sanitize)',
                '-fno-sanitize-recover=all',
                '-fno-omit-frame-pointer',
                '-g',
              ],
              'ldflags': ['-fsanitize=<(sanitize)'],
            }],
          ],
        }, {
          # Nothing to compile: installing succeeds, and the library says on the first call that the
          # platform isn't supported.
          'type': 'none',
        }],
      ],
    },
  ],
}
