"""The system calls of Linux by what they are for, with their numbers: `name:x86_64:aarch64`, none where there is no such call.

Above it: `_filter`, which says what becomes of each group; below it: nothing. What is in no group is a call that the kernel
doesn't have, as far as a plugin can tell: new ones, and `clone3`, `openat2` and the memory policies, without which libraries do.

Source: `asm/unistd_64.h` and `asm-generic/unistd.h` of the kernel.
"""

from __future__ import annotations

__all__ = [
    "HARMLESS",
    "JUDGED",
    "OF_ATTRIBUTES",
    "OF_CHILDREN",
    "OF_GROUPS",
    "OF_MESSAGES",
    "OF_NARROWING",
    "OF_OWNERS",
    "OF_SOCKETS",
    "REFUSED",
    "numbers",
]

#: What a process does with itself, and with the files and descriptors that it has. Which files it may open, the tree of files and
#: Landlock say; how much there may be of each thing, its limits.
HARMLESS = """
    read:0:63 write:1:64 readv:19:65 writev:20:66 pread64:17:67 pwrite64:18:68 preadv:295:69 pwritev:296:70 preadv2:327:286
    pwritev2:328:287 lseek:8:62 sendfile:40:71 copy_file_range:326:285
    stat:4: lstat:6: fstat:5:80 newfstatat:262:79 statx:332:291 access:21: faccessat:269:48 faccessat2:439:439 readlink:89:
    readlinkat:267:78 statfs:137:43 fstatfs:138:44 getdents:78: getdents64:217:61 getcwd:79:17 chdir:80:49 fchdir:81:50
    umask:95:166
    mkdir:83: mkdirat:258:34 rmdir:84: unlink:87: unlinkat:263:35 rename:82: renameat:264:38 link:86:
    linkat:265:37 symlink:88: symlinkat:266:36
    ftruncate:77:46 fsync:74:82 fdatasync:75:83 sync_file_range:277:84 fadvise64:221:223 readahead:187:213
    poll:7: ppoll:271:73 select:23: pselect6:270:72 epoll_create:213: epoll_create1:291:20 epoll_ctl:233:21 epoll_wait:232:
    epoll_pwait:281:22 epoll_pwait2:441:441 eventfd:284: eventfd2:290:19 signalfd:282: signalfd4:289:74 pipe:22: pipe2:293:59
    timerfd_create:283:85 timerfd_settime:286:86 timerfd_gettime:287:87 timer_settime:223:110
    timer_gettime:224:108 timer_getoverrun:225:109 timer_delete:226:111 getitimer:36:102 setitimer:38:103 alarm:37:
    brk:12:214 munmap:11:215 mremap:25:216 mprotect:10:226 pkey_mprotect:329:288 pkey_alloc:330:289 pkey_free:331:290
    madvise:28:233 msync:26:227 munlock:150:229 munlockall:152:231 membarrier:324:283
    futex_waitv:449:449 futex_wake:454:454 futex_wait:455:455 futex_requeue:456:456 set_robust_list:273:99
    set_tid_address:218:96 rseq:334:293 gettid:186:178 getpid:39:172 getppid:110:173 getpgrp:111:
    rt_sigaction:13:134 rt_sigprocmask:14:135 rt_sigpending:127:136 rt_sigreturn:15:139 rt_sigsuspend:130:133
    rt_sigtimedwait:128:137 sigaltstack:131:132 restart_syscall:219:128 pause:34:
    getuid:102:174 geteuid:107:175 getgid:104:176 getegid:108:177 getresuid:118:148 getresgid:120:150 getgroups:115:158
    capget:125:90 getrlimit:97:163 setrlimit:160:164 getrusage:98:165 times:100:153 sysinfo:99:179 uname:63:160 getcpu:309:168
    sched_yield:24:124
    sched_get_priority_max:146:125 sched_get_priority_min:147:126 time:201: gettimeofday:96:169 nanosleep:35:101 getrandom:318:278
    wait4:61:260 waitid:247:95 exit:60:93 exit_group:231:94 arch_prctl:158:
    recvfrom:45:207 sendto:44:206 sendmsg:46:211 sendmmsg:307:269 shutdown:48:210
    getsockname:51:204 getpeername:52:205 getsockopt:55:209
"""
#: What a socket needs that isn't half of a pair.
OF_SOCKETS = """
    bind:49:200 connect:42:203 listen:50:201 accept:43:202 accept4:288:242
"""
#: What starts other programs, and follows processes.
OF_CHILDREN = """
    execve:59:221 execveat:322:281 pidfd_open:434:434 pidfd_send_signal:424:424
"""
#: What leads out of a process group.
OF_GROUPS = """
    setsid:112:157 setpgid:109:154
"""
#: What a nursery's forks need as well: to narrow what they may do.
OF_NARROWING = """
    landlock_create_ruleset:444:444 landlock_add_rule:445:445 landlock_restrict_self:446:446 seccomp:317:277
"""
#: By which descriptors come in.
OF_MESSAGES = """
    recvmsg:47:212 recvmmsg:299:243
"""
#: Owners and times of files, which Landlock doesn't cover.
OF_OWNERS = """
    chown:92: lchown:94: fchown:93:55 fchownat:260:54 utime:132: utimes:235: futimesat:261: utimensat:280:88
"""
#: Extended attributes, which it doesn't cover either.
OF_ATTRIBUTES = """
    setxattr:188:5 lsetxattr:189:6 fsetxattr:190:7 getxattr:191:8 lgetxattr:192:9 fgetxattr:193:10 listxattr:194:11
    llistxattr:195:12 flistxattr:196:13 removexattr:197:14 lremovexattr:198:15 fremovexattr:199:16
"""
#: What no plugin needs, and what is there to watch, change or fill up the machine and other processes.
REFUSED = """
    memfd_create:319:279 memfd_secret:447:447 mlock:149:228 mlock2:325:284 mlockall:151:230 mincore:27:232
    remap_file_pages:216:234 process_madvise:440:440 process_mrelease:448:448 userfaultfd:323:282 cachestat:451:451
    splice:275:76 tee:276:77 vmsplice:278:75 io_setup:206:0 io_submit:209:2 io_destroy:207:1 io_cancel:210:3
    io_getevents:208:4 io_pgetevents:333:292 io_uring_setup:425:425 io_uring_enter:426:426 io_uring_register:427:427
    shmget:29:194 shmat:30:196 shmdt:67:197 shmctl:31:195 semget:64:190 semop:65:193 semtimedop:220:192 semctl:66:191
    msgget:68:186 msgsnd:69:189 msgrcv:70:188 msgctl:71:187
    mq_open:240:180 mq_unlink:241:181 mq_timedsend:242:182 mq_timedreceive:243:183 mq_notify:244:184 mq_getsetattr:245:185
    add_key:248:217 request_key:249:218 keyctl:250:219
    ptrace:101:117 process_vm_readv:310:270 process_vm_writev:311:271 kcmp:312:272 pidfd_getfd:438:438
    unshare:272:97 setns:308:268 mount:165:40 umount2:166:39 pivot_root:155:41 chroot:161:51 open_tree:428:428
    open_tree_attr:467:467 move_mount:429:429 mount_setattr:442:442 fsopen:430:430 fsconfig:431:431 fsmount:432:432
    fspick:433:433 statmount:457:457 listmount:458:458
    name_to_handle_at:303:264 open_by_handle_at:304:265 fanotify_init:300:262 fanotify_mark:301:263 quotactl:179:60
    quotactl_fd:443:443 swapon:167:224 swapoff:168:225 acct:163:89 syncfs:306:267
    setuid:105:146 setgid:106:144 setreuid:113:145 setregid:114:143 setresuid:117:147 setresgid:119:149 setfsuid:122:151
    setfsgid:123:152 setgroups:116:159 capset:126:91
    bpf:321:280 perf_event_open:298:241 init_module:175:105 finit_module:313:273 delete_module:176:106 kexec_load:246:104
    kexec_file_load:320:294 reboot:169:142 syslog:103:116 vhangup:153:58 lookup_dcookie:212:18
    settimeofday:164:170 clock_settime:227:112 clock_adjtime:305:266 adjtimex:159:171 sethostname:170:161
    setdomainname:171:162
    iopl:172: ioperm:173: modify_ldt:154:
    lsm_get_self_attr:459:459 lsm_set_self_attr:460:460 lsm_list_modules:461:461
"""
#: What is allowed or not by its arguments.
JUDGED = """
    open:2: openat:257:56 creat:85: mknod:133: mknodat:259:33 chmod:90: fchmod:91:52 fchmodat:268:53 fchmodat2:452:452
    mmap:9:222 clone:56:220 fork:57: vfork:58: kill:62:129 tkill:200:130 tgkill:234:131 rt_sigqueueinfo:129:138
    rt_tgsigqueueinfo:297:240
    socket:41:198 socketpair:53:199 setsockopt:54:208 fcntl:72:25 ioctl:16:29 flock:73:32 dup:32:23 dup2:33: dup3:292:24
    close:3:57 close_range:436:436 prctl:157:167 personality:135:92
    prlimit64:302:261 sched_setaffinity:203:122 sched_getaffinity:204:123 sched_setscheduler:144:119
    sched_getscheduler:145:120 sched_setparam:142:118 sched_getparam:143:121 sched_setattr:314:274 sched_getattr:315:275
    sched_rr_get_interval:148:127 getpriority:140:141 setpriority:141:140 ioprio_get:252:31 ioprio_set:251:30 getpgid:121:155
    getsid:124:156 get_robust_list:274:100
    sync:162:81 truncate:76:45 renameat2:316:276 fallocate:285:47
    futex:202:98 clock_gettime:228:113 clock_getres:229:114 clock_nanosleep:230:115 timer_create:222:107
"""


def numbers(group: str, machine: str) -> dict[str, int]:
    """The numbers of the calls of a group on one machine, as `os.uname().machine` names it, by their names."""
    column = {"x86_64": 1, "aarch64": 2}[machine]
    calls = (call.split(":") for call in group.split())
    return {call[0]: int(call[column]) for call in calls if call[column]}
