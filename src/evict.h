#ifndef GENPOLL_EVICT_H_
#define GENPOLL_EVICT_H_

namespace genpoll::evict {

// Deletes the entry that an epoll has for the file of descriptor `dup` under number `fd`, although
// the number names something else, or nothing. 0 or -errno: -ENOENT if there is no such entry.
int DeleteByDup(int epfd, int fd, int dup);

}  // namespace genpoll::evict

#endif  // GENPOLL_EVICT_H_
