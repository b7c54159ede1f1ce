/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/analysis/lock_sites.h"
#include "profiler/analysis/percentile.h"
#include "profiler/render/folded.h"
#include "profiler/render/locks.h"
#include "symbolizer/base/cleanup.h"
#include "tests/unit/recordings.h"

static uint32_t stack_of(struct maker *maker, const char *stack)
{
	char copy[1024], *rest = copy, *name;
	uint32_t row = RECORDING_STACK_ROOT;

	snprintf(copy, sizeof(copy), "%s", stack);
	while (*stack && (name = strsep(&rest, ";")) != NULL) {
		struct recording_frame frame = {.kind = FRAME_KERNEL, .named = true, .name = maker_text(maker, name)};
		struct recording_stack step = {.parent = row};

		assert_int_equal(recording_writer_frame(maker->writer, &frame, &step.frame), 0);
		assert_int_equal(recording_writer_stack(maker->writer, &step, &row), 0);
	}
	return row;
}

/* Held by @owner, which slept at @held_at meanwhile, unless that is nobody. */
static uint32_t add_held(struct maker *maker, uint32_t container, uint32_t owner, uint32_t waker, uint64_t ms,
			 uint64_t handoff_ms, const char *held_at)
{
	struct recording_lock row = {
		.lock_class = LOCK_CLASS_MUTEX,
		.container = container,
		.thread = container,
		.stack = stack_of(maker,
				  "entry_SYSCALL_64_after_hwframe;do_syscall_64;__x64_sys_rename;lock_rename.isra.0;"
				  "__mutex_lock.constprop.0"),
		.owner_container = owner,
		.waker_container = waker,
		.waker_thread = RECORDING_NONE,
		.waker_stack = stack_of(maker, "do_syscall_64;__x64_sys_rename;unlock_rename;mutex_unlock;wake_up_q"),
		.place = LOCK_PLACE_SLAB,
		.name = maker_text(maker, "ext4_inode_cache"),
		.owner = owner == RECORDING_NONE ? LOCK_OWNER_IS_NOBODY : LOCK_OWNER_IS_ASLEEP,
		.owner_thread = owner,
		.owner_stack = owner == RECORDING_NONE ? RECORDING_STACK_ROOT : stack_of(maker, held_at),
		.count = 2,
		.total_ns = ms * 1000000,
		.max_ns = ms * 1000000,
		.handoff_ns = handoff_ms * 1000000,
		.seen = 1,
	};
	uint32_t number;

	assert_int_equal(recording_writer_lock(maker->writer, &row, &number), 0);
	return number;
}

static uint32_t add_lock(struct maker *maker, uint32_t container, uint32_t owner, uint32_t waker, uint64_t ms,
			 uint64_t handoff_ms)
{
	return add_held(maker, container, owner, waker, ms, handoff_ms,
			"do_syscall_64;__x64_sys_fsync;jbd2_log_wait_commit;schedule");
}

static void add_spun(struct maker *maker, uint32_t container, uint8_t lock_class, const char *stack)
{
	struct recording_lock row = {
		.lock_class = lock_class,
		.flags = RECORDING_LOCK_SPUN,
		.container = container,
		.thread = RECORDING_NONE,
		.stack = stack_of(maker, stack),
		.owner_container = RECORDING_NONE,
		.waker_container = RECORDING_NONE,
		.waker_thread = RECORDING_NONE,
		.waker_stack = RECORDING_STACK_ROOT,
		.place = lock_class == LOCK_CLASS_SPINLOCK ? LOCK_PLACE_STATIC : LOCK_PLACE_UNTOLD,
		.owner_thread = RECORDING_NONE,
		.owner_stack = RECORDING_STACK_ROOT,
		.count = 100,
		.total_ns = 50000,
	};
	uint32_t number;

	assert_int_equal(recording_writer_lock(maker->writer, &row, &number), 0);
}

static void add_hold(struct maker *maker, uint32_t container, uint8_t bit, uint64_t looks, uint64_t waiters)
{
	struct recording_hold row = {
		.lock_class = LOCK_CLASS_MUTEX,
		.place = LOCK_PLACE_SLAB,
		.name = maker_text(maker, "ext4_inode_cache"),
		.bit = bit,
		.container = container,
		.looks = looks,
		.ns = looks * 1000000,
		.waited_ns = waiters * 1000000,
	};

	assert_int_equal(recording_writer_hold(maker->writer, &row), 0);
}

static struct profile *two_containers(bool looked_at)
{
	struct recording_bucket bucket = {.kind = HISTOGRAM_LOCK, .bucket = 80, .count = 2};
	struct maker maker;
	uint32_t web, db;

	maker_start(&maker);
	maker_fact(&maker, "locks.lost", "3");
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	db = maker_container(&maker, CONTAINER_CONTAINER, "db", "def", "");
	bucket.row = add_lock(&maker, web, db, db, 10, 2);
	assert_int_equal(recording_writer_bucket(maker.writer, &bucket), 0);
	add_lock(&maker, web, web, db, 4, 0);
	add_lock(&maker, web, RECORDING_NONE, db, 2, 0);
	add_lock(&maker, db, RECORDING_NONE, RECORDING_NONE, 1, 1);
	add_spun(&maker, db, LOCK_CLASS_SPINLOCK, "do_syscall_64;__x64_sys_read;folio_add_lru;_raw_spin_lock_irqsave");
	add_spun(&maker, db, LOCK_CLASS_MUTEX, "");
	if (looked_at) {
		add_hold(&maker, db, 0, 100, 100);
		add_hold(&maker, web, 0, 60, 200);
		add_hold(&maker, RECORDING_NONE, 0, 20, 20);
		add_hold(&maker, db, 0, 20, 80);
		add_hold(&maker, web, 1, 1000, 1000);
	}
	return maker_load(&maker);
}

static char *printed_so_many(const struct profile *profile, enum locks_grouping by, bool json, uint32_t max)
{
	struct locks_options options = {.by = by, .max = max};
	struct lock_sites sites;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(lock_sites_init(&sites, profile, by, NULL), 0);
	assert_int_equal((json ? render_locks_json : render_locks_text)(&sites, profile, &options, out), 0);
	fclose(out);
	lock_sites_deinit(&sites);
	return text;
}

static char *printed(const struct profile *profile, enum locks_grouping by, bool json)
{
	return printed_so_many(profile, by, json, 0);
}

static void test_lock_sites__a_lock_is_called_by_what_took_it(void **state)
{
	struct profile *profile = two_containers(false);
	struct lock_sites sites;

	assert_int_equal(lock_sites_init(&sites, profile, LOCKS_BY_LOCK, NULL), 0);
	assert_int_equal(sites.list.count, 3);
	assert_string_equal(string_table_text(&sites.strings, sites.list.items[0].function), "lock_rename");
	assert_int_equal(sites.list.items[0].count, 8);
	assert_int_equal(sites.list.items[0].histogram[80], 2);
	assert_string_equal(string_table_text(&sites.strings, sites.list.items[1].function), "folio_add_lru");
	assert_int_equal(sites.list.items[1].spun, 100);
	assert_int_equal(sites.list.items[2].function, 0);
	lock_sites_deinit(&sites);
	assert_int_equal(lock_sites_init(&sites, profile, LOCKS_BY_STACK, NULL), 0);
	assert_string_equal(string_table_text(&sites.strings, sites.list.items[0].entry), "rename");
	lock_sites_deinit(&sites);
	profile_free(profile);
}

static void test_lock_sites__owner_and_waker_have_half_each_without_the_handoff(void **state)
{
	struct profile *profile = two_containers(false);
	const struct lock_site *site;
	struct lock_sites sites;

	assert_int_equal(lock_sites_init(&sites, profile, LOCKS_BY_LOCK, NULL), 0);
	site = &sites.list.items[0];
	/* 8 of 10 ms by both, 2 of 4 by one of them, 2 of 2 by the only one known. */
	assert_int_equal(site->blame.count, 2);
	assert_int_equal(site->blame.items[0].culprit, 1);
	assert_int_equal(site->blame.items[0].ns, 12000000);
	assert_int_equal(site->blame.items[1].culprit, 0);
	assert_int_equal(site->blame.items[1].ns, 2000000);
	assert_int_equal(site->handoff_ns, 3000000);
	assert_int_equal(site->total_ns, 17000000);
	assert_int_equal(site->both, 4);
	assert_int_equal(site->agreed, 2);
	lock_sites_deinit(&sites);
	profile_free(profile);
}

static char *folded(const struct profile *profile, enum profile_grouping by, const char *comm)
{
	struct profile_query query = {.kind = PROFILE_LOCKS, .by = by};
	struct folded_options options = {.no_annotations = true};
	char *text = NULL, error[128];
	struct call_tree tree;
	regex_t regex;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	if (comm) {
		assert_int_equal(regcomp(&regex, comm, REG_EXTENDED | REG_NOSUB), 0);
		query.comm = &regex;
	}
	assert_int_equal(call_tree_init(&tree), 0);
	assert_int_equal(profile_call_tree(profile, &query, &tree, error, sizeof(error)), 0);
	assert_int_equal(render_folded(&tree, &options, out), 0);
	fclose(out);
	call_tree_deinit(&tree);
	if (comm)
		regfree(&regex);
	return text;
}

static void test_lock_sites__waits_that_did_not_sleep_are_told_from_lost_stacks(void **state)
{
	_cleanup_free_ char *text = NULL, *calls = NULL, *named = NULL;
	struct recording_lock lost = {RECORDING_LOCK_ALONE, .count = 1, .total_ns = 7000};
	struct profile *profile;
	struct maker maker;
	uint32_t row;

	maker_start(&maker);
	lost.container = maker_container(&maker, CONTAINER_CONTAINER, "db", "def", "");
	add_spun(&maker, 0, LOCK_CLASS_SPINLOCK, "do_syscall_64;__x64_sys_read;folio_add_lru");
	add_spun(&maker, 0, LOCK_CLASS_MUTEX, "");
	assert_int_equal(recording_writer_lock(maker.writer, &lost, &row), 0);
	profile = maker_load(&maker);
	text = folded(profile, PROFILE_BY_CONTAINER, NULL);
	assert_string_equal(text, "db;[did_not_sleep];do_syscall_64;__x64_sys_read;folio_add_lru 50\n"
				  "db;[no_stack_taken] 50\n"
				  "db;[stack_lost] 7\n");
	calls = folded(profile, PROFILE_BY_CALL, NULL);
	assert_string_equal(calls, "db;[did_not_sleep];read;do_syscall_64;__x64_sys_read;folio_add_lru 50\n"
				   "db;[no_stack_taken] 50\n"
				   "db;[stack_lost] 7\n");
	/* Nobody has a name that the expression could match. */
	named = folded(profile, PROFILE_BY_CONTAINER, ".*");
	assert_string_equal(named, "");
	profile_free(profile);
}

static void test_lock_sites__short_waits_add_up_in_the_flame_graph(void **state)
{
	struct recording_lock row = {RECORDING_LOCK_ALONE, .count = 1, .total_ns = 600};
	_cleanup_free_ char *text = NULL;
	struct profile *profile;
	struct maker maker;
	uint32_t number;

	maker_start(&maker);
	row.container = maker_container(&maker, CONTAINER_CONTAINER, "db", "def", "");
	row.thread = 0;
	row.stack = stack_of(&maker, "do_syscall_64;__x64_sys_read;mutex_lock");
	for (int i = 0; i < 1000; i++) {
		row.time_ns = (uint64_t)i;
		assert_int_equal(recording_writer_lock(maker.writer, &row, &number), 0);
	}
	profile = maker_load(&maker);
	text = folded(profile, PROFILE_BY_CONTAINER, NULL);
	assert_string_equal(text, "db;app;do_syscall_64;__x64_sys_read;mutex_lock 600\n");
	profile_free(profile);
}

static void test_lock_sites__names_that_are_no_utf8_are_valid_in_json(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct profile *profile;
	struct maker maker;
	uint32_t web, db;

	maker_start(&maker);
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	db = maker_container(&maker, CONTAINER_CONTAINER, "db", "def", "");
	add_held(&maker, web, db, db, 10, 2, "do_syscall_64;__x64_sys_fsync;bad\xff\xfename");
	profile = maker_load(&maker);
	text = printed(profile, LOCKS_BY_OWNER, true);
	assert_null(strchr(text, '\xff'));
	assert_non_null(strstr(text, "\"stack\": [\n            \"bad\xef\xbf\xbd\xef\xbf\xbdname\","));
	profile_free(profile);
}

static void test_lock_sites__who_let_go_is_blamed_for_what_it_held_the_lock_for(void **state)
{
	struct recording_lock row = {.lock_class = LOCK_CLASS_MUTEX,
				     .thread = RECORDING_NONE,
				     .stack = RECORDING_STACK_ROOT,
				     .waker_thread = RECORDING_NONE,
				     .waker_stack = RECORDING_STACK_ROOT,
				     .owner_thread = RECORDING_NONE,
				     .owner_stack = RECORDING_STACK_ROOT,
				     .count = 1,
				     .total_ns = 10000,
				     .handoff_ns = 2000,
				     .waker_ns = 1000};
	_cleanup_free_ char *text = NULL;
	struct profile *profile;
	struct lock_sites sites;
	struct maker maker;
	uint32_t number;

	maker_start(&maker);
	maker_fact(&maker, "locks.lost", "0");
	row.container = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	row.owner_container = maker_container(&maker, CONTAINER_CONTAINER, "long", "def", "");
	row.waker_container = maker_container(&maker, CONTAINER_CONTAINER, "short", "fed", "");
	assert_int_equal(recording_writer_lock(maker.writer, &row, &number), 0);
	/* A file may say anything. */
	row.waker_ns = UINT64_MAX;
	assert_int_equal(recording_writer_lock(maker.writer, &row, &number), 0);
	profile = maker_load(&maker);
	assert_int_equal(lock_sites_init(&sites, profile, LOCKS_BY_LOCK, NULL), 0);
	assert_int_equal(sites.list.items[0].blame.count, 2);
	assert_int_equal(sites.list.items[0].blame.items[0].culprit, row.waker_container);
	assert_int_equal(sites.list.items[0].blame.items[0].ns, 1000 + 8000);
	assert_int_equal(sites.list.items[0].blame.items[1].culprit, row.owner_container);
	assert_int_equal(sites.list.items[0].blame.items[1].ns, 7000);
	lock_sites_deinit(&sites);
	text = printed(profile, LOCKS_BY_LOCK, false);
	assert_non_null(strstr(text, "No wait for a spinlock was seen."));
	profile_free(profile);
}

static void test_lock_sites__holders_of_a_lock_are_those_of_its_bit(void **state)
{
	struct profile *profile = two_containers(true);
	struct lock_sites sites;

	assert_int_equal(lock_sites_init(&sites, profile, LOCKS_BY_LOCK, NULL), 0);
	assert_int_equal(sites.list.items[0].holds.count, 3);
	assert_int_equal(sites.list.items[0].holds.items[0].container, 1);
	assert_int_equal(sites.list.items[0].holds.items[0].looks, 120);
	assert_int_equal(sites.list.items[0].holds.items[0].ns, 120000000);
	assert_int_equal(sites.list.items[0].holds.items[0].waited_ns, 180000000);
	assert_int_equal(sites.list.items[0].holds.items[2].container, RECORDING_NONE);
	assert_int_equal(sites.list.items[1].holds.count, 0);
	assert_int_equal(sites.list.items[2].holds.count, 0);
	assert_int_equal(sites.total.holds.items[0].container, 0);
	assert_int_equal(sites.total.holds.items[0].looks, 1060);
	lock_sites_deinit(&sites);
	profile_free(profile);
}

static void test_lock_sites__shares_of_the_waiting_and_of_the_time_are_told_apart(void **state)
{
	struct profile *profile = two_containers(true);
	char *text = printed(profile, LOCKS_BY_LOCK, false);

	assert_non_null(strstr(text, "  web 50%, db 45%, unknown 5%  db 60%, web 30%, unknown 10%\n"));
	free(text);
	profile_free(profile);
}

static void test_lock_sites__who_spins_is_told_by_samples(void **state)
{
	static const char write[] = "main;k:do_syscall_64;k:__x64_sys_pwrite64;k:ext4_buffered_write_iter";
	struct profile *profile;
	struct maker maker;
	char stack[256], *text, *json;
	uint32_t web, db;

	maker_start(&maker);
	maker_fact(&maker, "event.period_ns", "10000000");
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	db = maker_container(&maker, CONTAINER_CONTAINER, "db", "def", "");
	snprintf(stack, sizeof(stack), "%s;k:rwsem_down_write_slowpath;k:rwsem_spin_on_owner", write);
	maker_sample(&maker, web, stack, 20);
	snprintf(stack, sizeof(stack), "%s;k:rwsem_down_write_slowpath;k:osq_lock;k:__raw_callee_save_it", write);
	maker_sample(&maker, web, stack, 5);
	snprintf(stack, sizeof(stack), "%s;k:rwsem_down_write_slowpath;k:schedule;k:__schedule", write);
	maker_sample(&maker, web, stack, 70);
	snprintf(stack, sizeof(stack), "%s;k:rwsem_spin_on_owner;k:asm_sysvec_apic_timer_interrupt", write);
	maker_sample(&maker, web, stack, 5);
	maker_sample(&maker, db, write, 100);
	profile = maker_load(&maker);
	text = printed(profile, LOCKS_BY_LOCK, false);
	json = printed(profile, LOCKS_BY_LOCK, true);
	assert_non_null(
		strstr(text, "web spun 250 ms in pwrite64: ext4_buffered_write_iter, 25% of what it was on a CPU\n"));
	assert_null(strstr(text, "db spun"));
	assert_non_null(strstr(json, "\"own_samples\": 100"));
	free(text);
	free(json);
	profile_free(profile);
}

static uint64_t counts_of(const struct lock_sites *sites)
{
	uint64_t count = 0;

	for (size_t i = 0; i < sites->list.count; i++)
		count += sites->list.items[i].count;
	return count;
}

static void test_lock_sites__by_owner_and_by_container(void **state)
{
	struct profile *profile = two_containers(false);
	struct lock_sites sites;

	assert_int_equal(lock_sites_init(&sites, profile, LOCKS_BY_OWNER, NULL), 0);
	assert_int_equal(sites.list.items[0].container, 1);
	assert_int_equal(sites.list.items[0].total_ns, 12000000);
	/* db held it for half of 8 ms, asleep, and let go at the end of it, of 4 and of 2 ms more. */
	assert_int_equal(sites.list.items[0].holders.count, 2);
	/* Each of eight waits counts once, but for the two that both had a part in. */
	assert_int_equal(sites.counted_twice, 2);
	assert_int_equal(counts_of(&sites), 10);
	assert_int_equal(sites.list.items[0].holders.items[0].how, LOCK_HOLDER_LET_GO);
	assert_int_equal(sites.list.items[0].holders.items[0].ns, 8000000);
	assert_string_equal(string_table_text(&sites.strings, sites.list.items[0].holders.items[0].function),
			    "unlock_rename");
	assert_int_equal(sites.list.items[0].holders.items[1].how, LOCK_OWNER_IS_ASLEEP);
	assert_int_equal(sites.list.items[0].holders.items[1].ns, 4000000);
	assert_string_equal(string_table_text(&sites.strings, sites.list.items[0].holders.items[1].entry), "fsync");
	lock_sites_deinit(&sites);
	assert_int_equal(lock_sites_init(&sites, profile, LOCKS_BY_CONTAINER, NULL), 0);
	assert_int_equal(sites.list.items[0].container, 0);
	assert_int_equal(sites.list.items[0].total_ns, 16000000);
	lock_sites_deinit(&sites);
	profile_free(profile);
}

static void test_lock_sites__a_chosen_container_waits_or_makes_others_wait(void **state)
{
	static const bool wanted[] = {true, false};
	struct locks_options options = {.wanted = wanted};
	struct profile *profile = two_containers(false);
	_cleanup_free_ char *text = NULL;
	struct lock_sites sites;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(lock_sites_init(&sites, profile, LOCKS_BY_LOCK, wanted), 0);
	/* The spinlock was db's alone. */
	assert_true(sites.list.items[0].concerned);
	assert_false(sites.list.items[1].concerned);
	assert_int_equal(sites.total.count, 208);
	assert_int_equal(render_locks_text(&sites, profile, &options, out), 0);
	fclose(out);
	lock_sites_deinit(&sites);
	assert_non_null(strstr(text, "lock_rename"));
	assert_null(strstr(text, "folio_add_lru"));
	assert_null(strstr(text, "No wait for a spinlock"));
	assert_non_null(strstr(text, "web waited 12.0 ms for db\n"));
	assert_non_null(
		strstr(text, "Only what concerns web; the lines below account for the whole recording.\n208 waits"));
	assert_int_equal(lock_sites_init(&sites, profile, LOCKS_BY_OWNER, wanted), 0);
	/* db made web wait; of the waits of db nobody is known to be the owner. */
	for (size_t i = 0; i < sites.list.count; i++)
		assert_int_equal(sites.list.items[i].concerned, sites.list.items[i].container != RECORDING_NONE);
	lock_sites_deinit(&sites);
	profile_free(profile);
}

static void test_lock_sites__percentiles_lie_anywhere_in_their_octave(void **state)
{
	struct recording_bucket bucket = {.kind = HISTOGRAM_LOCK, .bucket = 68, .count = 100};
	_cleanup_free_ char *text = NULL;
	struct profile *profile;
	struct lock_sites sites;
	struct maker maker;
	uint32_t web;

	maker_start(&maker);
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	bucket.row = add_lock(&maker, web, web, web, 7, 0);
	assert_int_equal(recording_bucket_ns(bucket.bucket), 4194304);
	assert_int_equal(recording_writer_bucket(maker.writer, &bucket), 0);
	profile = maker_load(&maker);
	assert_int_equal(lock_sites_init(&sites, profile, LOCKS_BY_LOCK, NULL), 0);
	assert_in_range(percentile_octaves_ns(sites.total.histogram, 0.99, 0), 8300000, 8388608);
	assert_in_range(percentile_octaves_ns(sites.total.histogram, 0.5, 0), 6291455, 6291457);
	lock_sites_deinit(&sites);
	/* None was longer than 7 ms. */
	text = printed(profile, LOCKS_BY_LOCK, false);
	assert_non_null(strstr(text, "6.97 ms"));
	profile_free(profile);
}

static void test_lock_sites__a_row_of_both_kinds_tells_of_which_its_percentile_is(void **state)
{
	struct profile *profile = two_containers(false);
	_cleanup_free_ char *locks = printed(profile, LOCKS_BY_LOCK, false),
			    *waiters = printed(profile, LOCKS_BY_CONTAINER, false),
			    *owners = printed(profile, LOCKS_BY_OWNER, false);

	assert_null(strstr(locks, "P99: of"));
	assert_non_null(strstr(waiters, "P99: of the waits that slept. WAITS, TOTAL, MEAN and MAX: of all.\n"));
	assert_null(strstr(owners, "P99: of"));
	profile_free(profile);
}

static void test_lock_sites__owners_that_are_not_told_of_are_counted(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct profile *profile;
	struct maker maker;
	uint32_t rows[13];

	maker_start(&maker);
	for (uint32_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		char name[16];

		snprintf(name, sizeof(name), "owner-%u", i);
		rows[i] = maker_container(&maker, CONTAINER_CONTAINER, name, name, "");
	}
	for (uint32_t i = 1; i < ARRAY_LENGTH(rows); i++)
		add_lock(&maker, rows[0], rows[i], rows[i], 100 - i, 0);
	profile = maker_load(&maker);
	text = printed(profile, LOCKS_BY_OWNER, false);
	assert_non_null(strstr(text, "\nowner-10, "));
	assert_null(strstr(text, "\nowner-11, "));
	assert_non_null(strstr(text, "\n(2 more owners: -n shows them)\n"));
	profile_free(profile);
}

static void test_lock_sites__sums_that_have_no_room_stay_large(void **state)
{
	const uint64_t ms = 12000000000000ull;
	struct profile *profile;
	struct lock_sites sites;
	struct maker maker;
	uint32_t web;

	maker_start(&maker);
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	for (int i = 0; i < 2; i++)
		add_lock(&maker, web, web, web, ms, 0);
	profile = maker_load(&maker);
	assert_int_equal(lock_sites_init(&sites, profile, LOCKS_BY_LOCK, NULL), 0);
	assert_true(sites.total.total_ns == UINT64_MAX && sites.list.items[0].total_ns == UINT64_MAX);
	assert_true(sites.list.items[0].blame.items[0].ns == UINT64_MAX);
	lock_sites_deinit(&sites);
	profile_free(profile);
}

static void test_lock_sites__nobody_is_told_of_with_nothing(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct profile *profile;
	struct maker maker;
	uint32_t waiter, owner, rare;

	maker_start(&maker);
	waiter = maker_container(&maker, CONTAINER_CONTAINER, "waiter", "waiter", "");
	owner = maker_container(&maker, CONTAINER_CONTAINER, "owner", "owner", "");
	rare = maker_container(&maker, CONTAINER_CONTAINER, "rare", "rare", "");
	add_lock(&maker, waiter, owner, owner, 10000, 0);
	add_lock(&maker, waiter, rare, rare, 10, 0);
	profile = maker_load(&maker);
	text = printed(profile, LOCKS_BY_LOCK, false);
	assert_non_null(strstr(text, "owner 100%"));
	assert_null(strstr(text, "rare 0%"));
	assert_non_null(strstr(text, "waiter waited 10.0 ms for rare"));
	profile_free(profile);
}

static void test_lock_sites__bits_tell_how_many_locks(void **state)
{
	assert_int_equal(lock_sites_different(1), 1);
	assert_int_equal(lock_sites_different(0xf), 4);
	assert_in_range(lock_sites_different(0xffffffff), 40, 48);
	assert_int_equal(lock_sites_different(UINT64_MAX), 0);
}

static void test_lock_sites__report_has_pairs_and_its_account(void **state)
{
	struct profile *profile = two_containers(false);
	_cleanup_free_ char *text = printed(profile, LOCKS_BY_LOCK, false),
			    *json = printed(profile, LOCKS_BY_STACK, true),
			    *owners = printed(profile, LOCKS_BY_OWNER, false),
			    *one_owner = printed_so_many(profile, LOCKS_BY_OWNER, false, 1),
			    *owners_json = printed(profile, LOCKS_BY_OWNER, true);

	assert_non_null(strstr(text, "lock_rename    mutex     in ext4_inode_cache      8"));
	assert_non_null(strstr(text, "folio_add_lru  spinlock  (static)"));
	assert_non_null(strstr(text, "asleep 86%, just gone 14% of the time."));
	assert_non_null(strstr(text, "(static): in the kernel's own data, of which it has no symbols"));
	assert_true(!strncmp(text, "TAKEN BY ", 9) && !strncmp(owners, "OWNER ", 6));
	assert_non_null(strstr(owners,
			       "WAITS: those that slept; 2 count twice, for who held the lock as they began and for "
			       "who let go of it."));
	assert_non_null(strstr(owners, "33%  asleep in fsync: jbd2_log_wait_commit <- __x64_sys_fsync"));
	assert_non_null(strstr(owners, "67%  letting go in rename: unlock_rename"));
	assert_non_null(strstr(owners_json, "\"was\": \"asleep\""));
	assert_non_null(strstr(owners_json, "\"at\": \"jbd2_log_wait_commit\""));
	/* What the table has as "-". */
	assert_non_null(strstr(owners_json,
			       "\"max_ns\": null,\n      \"p50_ns\": null,\n      \"p99_ns\": null,\n      "
			       "\"handoff_ns\": null,\n      \"different_locks\": null,\n"));
	assert_non_null(strstr(json, "\"did_not_sleep\": 100,\n      \"did_not_sleep_ns\": 50000,\n"));
	assert_non_null(strstr(json, "\"max_ns\": null,\n      \"p50_ns\": null,"));
	assert_non_null(strstr(json, "\"owner_untold_ns\": null,\n      \"owner_and_waker_known\": null,"));
	assert_non_null(strstr(one_owner, "\n(2 more owners: -n shows them)\n"));
	assert_non_null(strstr(json, "\"looks_hz\": null"));
	assert_non_null(strstr(json, "\"slab\": \"ext4_inode_cache\""));
	assert_non_null(strstr(text, "db 86%, web 14%"));
	assert_non_null(strstr(text, "web waited 12.0 ms for db\n"));
	assert_non_null(strstr(text, "web waited 2.00 ms for itself\n"));
	assert_non_null(strstr(text, "(spinlocks do not tell)"));
	assert_null(strstr(text, "No wait for a spinlock"));
	assert_non_null(strstr(text, "208 waits = 8 that slept + 200 that did not, 17.1 ms in all."));
	assert_non_null(strstr(text, "3 waits had no room"));
	assert_non_null(strstr(json, "\"in\": \"rename\""));
	assert_non_null(strstr(json, "\"handoff_ns\": 3000000"));
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lock_sites__a_lock_is_called_by_what_took_it),
		cmocka_unit_test(test_lock_sites__owner_and_waker_have_half_each_without_the_handoff),
		cmocka_unit_test(test_lock_sites__waits_that_did_not_sleep_are_told_from_lost_stacks),
		cmocka_unit_test(test_lock_sites__short_waits_add_up_in_the_flame_graph),
		cmocka_unit_test(test_lock_sites__names_that_are_no_utf8_are_valid_in_json),
		cmocka_unit_test(test_lock_sites__who_let_go_is_blamed_for_what_it_held_the_lock_for),
		cmocka_unit_test(test_lock_sites__holders_of_a_lock_are_those_of_its_bit),
		cmocka_unit_test(test_lock_sites__shares_of_the_waiting_and_of_the_time_are_told_apart),
		cmocka_unit_test(test_lock_sites__who_spins_is_told_by_samples),
		cmocka_unit_test(test_lock_sites__by_owner_and_by_container),
		cmocka_unit_test(test_lock_sites__a_chosen_container_waits_or_makes_others_wait),
		cmocka_unit_test(test_lock_sites__percentiles_lie_anywhere_in_their_octave),
		cmocka_unit_test(test_lock_sites__a_row_of_both_kinds_tells_of_which_its_percentile_is),
		cmocka_unit_test(test_lock_sites__owners_that_are_not_told_of_are_counted),
		cmocka_unit_test(test_lock_sites__sums_that_have_no_room_stay_large),
		cmocka_unit_test(test_lock_sites__nobody_is_told_of_with_nothing),
		cmocka_unit_test(test_lock_sites__bits_tell_how_many_locks),
		cmocka_unit_test(test_lock_sites__report_has_pairs_and_its_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
