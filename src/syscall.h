#ifndef GENPOLL_SYSCALL_H_
#define GENPOLL_SYSCALL_H_

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

// System calls without the C library: its `read`, `write` and `epoll_wait` are cancellation points,
// and even `syscall()` is a call more to return from. Kernels that guard against speculative return
// overflow leave every such return mispredicted: together a tenth of a short system call.

namespace genpoll {

namespace internal {

inline long Raw(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
#else
  long result = syscall(number, a, b, c, d, e, f);
  return result < 0 ? -errno : result;
#endif
}

template <typename T>
long Word(T value) {
  return static_cast<long>(value);
}
template <typename T>
long Word(T* pointer) {
  return reinterpret_cast<long>(pointer);
}
inline long Word(decltype(nullptr)) { return 0; }

}  // namespace internal

// The kernel's answer: a value >= 0, or -errno.
template <typename A = long, typename B = long, typename C = long, typename D = long,
          typename E = long, typename F = long>
inline int32_t Syscall(long number, A a = 0, B b = 0, C c = 0, D d = 0, E e = 0, F f = 0) {
  using internal::Word;
  return static_cast<int32_t>(
      internal::Raw(number, Word(a), Word(b), Word(c), Word(d), Word(e), Word(f)));
}

}  // namespace genpoll

#endif  // GENPOLL_SYSCALL_H_
