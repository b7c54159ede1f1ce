/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * vmlinux-min: the kernel's types as far as the BPF programs here use them, for build hosts without BTF.
 *
 * Made by scripts/minimise-vmlinux from Linux 6.18.44; not edited by hand.
 */
/* clang-format off */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct bpf_iter__kmem_cache;
struct bpf_iter__task;
struct bpf_iter_meta;
struct bpf_perf_event_data;
struct bpf_raw_tracepoint_args;
struct cfs_bandwidth;
struct cfs_rq;
struct cgroup;
struct cgroup_root;
struct cgroup_subsys_state;
struct css_set;
struct ctl_dir;
struct ctl_table;
struct ctl_table_header;
struct ctl_table_root;
struct ctl_table_set;
struct file;
struct files_struct;
struct fred_cs;
struct hlist_head;
struct hlist_node;
struct kernfs_node;
struct kmem_cache;
struct list_head;
struct lock_class_key;
struct mm_struct;
struct mutex;
struct ns_common;
struct optimistic_spin_queue;
struct pid;
struct pid_namespace;
struct pt_regs;
struct qspinlock;
struct raw_spinlock;
struct rb_node;
struct rb_root;
struct rb_root_cached;
struct refcount_struct;
struct rq;
struct rt_mutex_base;
struct rt_rq;
struct rw_semaphore;
struct sched_entity;
struct sched_info;
struct sched_rt_entity;
struct seq_file;
struct signal_struct;
struct spinlock;
struct task_group;
struct task_struct;
struct thread_info;
struct thread_struct;
struct upid;

typedef signed char __s8;

typedef unsigned char __u8;

typedef short int __s16;

typedef short unsigned int __u16;

typedef int __s32;

typedef unsigned int __u32;

typedef long long int __s64;

typedef long long unsigned int __u64;

typedef __s8 s8;

typedef __u8 u8;

typedef __s16 s16;

typedef __u16 u16;

typedef __s32 s32;

typedef __u32 u32;

typedef __s64 s64;

typedef __u64 u64;

enum {
	false = 0,
	true = 1,
};

typedef long unsigned int __kernel_ulong_t;

typedef int __kernel_pid_t;

typedef unsigned int __kernel_uid32_t;

typedef unsigned int __kernel_gid32_t;

typedef __kernel_ulong_t __kernel_size_t;

typedef __u16 __be16;

typedef __u32 __be32;

typedef __u32 __wsum;

typedef __kernel_pid_t pid_t;

typedef _Bool bool;

typedef __kernel_uid32_t uid_t;

typedef __kernel_gid32_t gid_t;

typedef __kernel_size_t size_t;

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	s64 counter;
} atomic64_t;

struct list_head {
	struct list_head *next;
	struct list_head *prev;
};

struct hlist_head {
	struct hlist_node *first;
};

struct hlist_node {
	struct hlist_node *next;
	struct hlist_node **pprev;
};

struct thread_info {
	long unsigned int flags;
	long unsigned int syscall_work;
	u32 status;
	u32 cpu;
};

struct refcount_struct {
	atomic_t refs;
};

typedef struct refcount_struct refcount_t;

struct sched_entity {
	unsigned char on_rq;
	unsigned char sched_delayed;
	u64 sum_exec_runtime;
	int depth;
	struct sched_entity *parent;
	struct cfs_rq *cfs_rq;
};

struct sched_rt_entity {
	short unsigned int on_rq;
	struct sched_rt_entity *parent;
};

struct sched_info {
	long unsigned int pcount;
	long long unsigned int run_delay;
	long long unsigned int max_run_delay;
	long long unsigned int min_run_delay;
	long long unsigned int last_arrival;
	long long unsigned int last_queued;
};

struct qspinlock {
	union {
		atomic_t val;
	};
};

typedef struct qspinlock arch_spinlock_t;

struct raw_spinlock {
	arch_spinlock_t raw_lock;
};

typedef struct raw_spinlock raw_spinlock_t;

struct rb_root {
	struct rb_node *rb_node;
};

struct rb_root_cached {
	struct rb_root rb_root;
	struct rb_node *rb_leftmost;
};

typedef atomic64_t atomic_long_t;

struct optimistic_spin_queue {
	atomic_t tail;
};

struct mutex {
	atomic_long_t owner;
	raw_spinlock_t wait_lock;
	struct optimistic_spin_queue osq;
	struct list_head wait_list;
};

typedef struct {
	long unsigned int sig[1];
} sigset_t;

typedef struct {
	uid_t val;
} kuid_t;

struct spinlock {
};

typedef struct spinlock spinlock_t;

struct thread_struct {
	long unsigned int sp;
	long unsigned int fsbase;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	void *stack;
	unsigned int flags;
	int on_cpu;
	int on_rq;
	struct sched_entity se;
	struct sched_rt_entity rt;
	bool throttled;
	struct sched_info sched_info;
	struct list_head tasks;
	struct mm_struct *mm;
	unsigned int in_iowait: 1;
	pid_t pid;
	pid_t tgid;
	struct task_struct *parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	long unsigned int nvcsw;
	long unsigned int nivcsw;
	u64 start_time;
	u64 start_boottime;
	char comm[16];
	struct files_struct *files;
	struct signal_struct *signal;
	sigset_t blocked;
	u64 self_exec_id;
	struct css_set *cgroups;
	struct thread_struct thread;
};

struct lock_class_key {
};

struct fred_cs {
	u64 cs: 16;
	u64 sl: 2;
	u64 wfe: 1;
};

struct pt_regs {
	long unsigned int bp;
	long unsigned int orig_ax;
	long unsigned int ip;
	union {
		u16 cs;
		u64 csx;
		struct fred_cs fred_cs;
	};
	long unsigned int flags;
	long unsigned int sp;
};

struct rw_semaphore {
	atomic_long_t count;
	atomic_long_t owner;
	struct optimistic_spin_queue osq;
	raw_spinlock_t wait_lock;
	struct list_head wait_list;
};

typedef struct {
	long unsigned int __mm_flags[1];
} mm_flags_t;

struct mm_struct {
	struct {
		long unsigned int start_stack;
		mm_flags_t flags;
		struct task_struct *owner;
	};
};

struct ns_common {
	unsigned int inum;
};

struct ctl_table_header {
	union {
		struct {
			const struct ctl_table *ctl_table;
			int ctl_table_size;
			int used;
			int count;
			int nreg;
		};
	};
	struct ctl_table_root *root;
	struct ctl_table_set *set;
	struct ctl_dir *parent;
	enum {
		SYSCTL_TABLE_TYPE_DEFAULT = 0,
		SYSCTL_TABLE_TYPE_PERMANENTLY_EMPTY = 1,
	} type;
};

struct ctl_dir {
	struct ctl_table_header header;
	struct rb_root root;
};

struct ctl_table_set {
	int (*is_seen)(struct ctl_table_set *);
	struct ctl_dir dir;
};

struct pid_namespace {
	struct task_struct *child_reaper;
	unsigned int level;
	struct pid_namespace *parent;
	struct ns_common ns;
	struct ctl_table_set set;
};

typedef struct {
	gid_t val;
} kgid_t;

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	refcount_t count;
	unsigned int level;
	spinlock_t lock;
	struct hlist_head tasks[4];
	struct upid numbers[0];
};

struct signal_struct {
	atomic_t live;
	unsigned int flags;
	int leader;
	long unsigned int nvcsw;
	long unsigned int nivcsw;
};

struct css_set {
	struct cgroup_subsys_state *subsys[12];
	struct cgroup *dfl_cgrp;
	struct list_head tasks;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	int id;
	unsigned int flags;
	struct cgroup_subsys_state *parent;
};

struct file {
};

struct ctl_table_root {
	struct ctl_table_set default_set;
	struct ctl_table_set * (*lookup)(struct ctl_table_root *);
	void (*set_ownership)(struct ctl_table_header *, kuid_t *, kgid_t *);
	int (*permissions)(struct ctl_table_header *, const struct ctl_table *);
};

struct cgroup {
	struct cgroup_subsys_state self;
	long unsigned int flags;
	int level;
	struct kernfs_node *kn;
	struct cgroup_subsys_state *subsys[12];
	struct cgroup_root *root;
};

struct seq_file {
	size_t from;
	size_t count;
	struct mutex lock;
	const struct file *file;
};

struct kernfs_node {
	atomic_t count;
	const char *name;
	const void *ns;
	unsigned int hash;
	short unsigned int flags;
	u64 id;
};

struct cgroup_root {
	unsigned int subsys_mask;
	int hierarchy_id;
	unsigned int flags;
	char name[64];
};

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_QUEUE = 22,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};

enum bpf_func_id {
	BPF_FUNC_get_current_task_btf = 158,
	BPF_FUNC_task_pt_regs = 175,
};

typedef unsigned int slab_flags_t;

enum cgroup_subsys_id {
	cpu_cgrp_id = 1,
	memory_cgrp_id = 4,
	pids_cgrp_id = 11,
};

struct files_struct {
	atomic_t count;
};

struct cfs_rq {
	struct sched_entity *next;
	struct {
		raw_spinlock_t lock;
		int nr;
		long unsigned int load_avg;
		long unsigned int util_avg;
		long unsigned int runnable_avg;
	} removed;
	struct rq *rq;
	struct task_group *tg;
	int idle;
	int runtime_enabled;
	u64 throttled_clock_self_time;
	bool throttled: 1;
	int throttle_count;
};

struct rt_rq {
	struct {
		int curr;
		int next;
	} highest_prio;
	struct rq *rq;
	struct task_group *tg;
};

struct rq {
	struct rt_rq rt;
	struct task_struct *idle;
	u64 clock;
	int cpu;
};

struct cfs_bandwidth {
	raw_spinlock_t lock;
	u64 runtime;
	u8 idle;
	u64 throttled_time;
};

struct task_group {
	int idle;
	struct sched_entity **se;
	struct cfs_rq **cfs_rq;
	struct task_group *parent;
	struct cfs_bandwidth cfs_bandwidth;
};

struct rt_mutex_base {
	raw_spinlock_t wait_lock;
	struct rb_root_cached waiters;
	struct task_struct *owner;
};

struct bpf_iter_meta {
	union {
		struct seq_file *seq;
	};
};

struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

typedef struct pt_regs bpf_user_pt_regs_t;

struct bpf_perf_event_data {
	bpf_user_pt_regs_t regs;
	__u64 sample_period;
	__u64 addr;
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
};

enum {
	BPF_F_NO_PREALLOC = 1,
	BPF_F_MMAPABLE = 1024,
};

struct bpf_iter__task {
	union {
		struct bpf_iter_meta *meta;
	};
	union {
		struct task_struct *task;
	};
};

enum {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

enum {
	BPF_RB_AVAIL_DATA = 0,
	BPF_RB_RING_SIZE = 1,
	BPF_RB_CONS_POS = 2,
	BPF_RB_PROD_POS = 3,
};

enum {
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
};

enum {
	BPF_F_USER_STACK = 256,
};

struct kmem_cache {
	struct lock_class_key lock_key;
	slab_flags_t flags;
	unsigned int offset;
	const char *name;
};

struct bpf_iter__kmem_cache {
	union {
		struct bpf_iter_meta *meta;
	};
	union {
		struct kmem_cache *s;
	};
};

typedef struct {
	unsigned char op;
	unsigned char bits;
	short unsigned int val;
} code;

#pragma clang attribute pop

#endif
