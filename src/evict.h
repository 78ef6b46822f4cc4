#ifndef GENPOLL_EVICT_H_
#define GENPOLL_EVICT_H_

namespace genpoll::evict {

// Deletes the entry that an epoll has for the file of descriptor `dup` under number `fd`, although
// the number names something else, or nothing. But not the entry that another epoll, `living`, has
// too, if that isn't -1. 0 or -errno: -ENOENT if there is no such entry.
int DeleteByDup(int epfd, int living, int fd, int dup);

}  // namespace genpoll::evict

#endif  // GENPOLL_EVICT_H_
