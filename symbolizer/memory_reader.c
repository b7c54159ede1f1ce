/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/memory_reader.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "symbolizer/base/clock.h"
#include "symbolizer/process_files.h"
#include "symbolizer/process_maps.h"

/* Of one helper: what it was asked, and what it found. A count of 0 asks for the text. */
struct question {
	pid_t pid;
	size_t count;
	struct memory_file files[MEMORY_READER_FILES_MAX];
	char *text;
	int error;
};

/* Shared by a reader and its thread; the last of the two frees it. */
struct helper {
	pthread_mutex_t lock; /* of all but the question, which is the thread's while @asked */
	pthread_cond_t changed;
	bool asked, stop;
	bool ended;  /* the thread is gone */
	bool orphan; /* the reader is */
	uint64_t tenant;
	struct question question;
};

struct memory_reader {
	struct helper *helper; /* NULL: none has been started */
	struct helper *left[MEMORY_READER_LEFT_MAX];
	size_t left_count;
};

static void drop_answer(struct question *question)
{
	for (size_t i = 0; i < question->count; i++)
		if (!question->files[i].error)
			close(question->files[i].path_fd);
	question->count = 0;
	free(question->text);
	question->text = NULL;
}

static void helper_free(struct helper *helper)
{
	drop_answer(&helper->question);
	pthread_cond_destroy(&helper->changed);
	pthread_mutex_destroy(&helper->lock);
	free(helper);
}

static void look(struct question *question)
{
	question->text = NULL;
	question->error = 0;
	if (!question->count)
		question->error = process_maps_read(question->pid, &question->text);
	for (size_t i = 0; i < question->count; i++) {
		struct memory_file *file = &question->files[i];

		file->error =
			process_files_mapped(question->pid, file->start, file->end, &file->path_fd, &file->status);
	}
}

static void *help(void *data)
{
	struct helper *helper = data;
	bool orphan;

	pthread_mutex_lock(&helper->lock);
	while (!helper->stop) {
		if (!helper->asked) {
			pthread_cond_wait(&helper->changed, &helper->lock);
			continue;
		}
		pthread_mutex_unlock(&helper->lock);
		look(&helper->question);
		pthread_mutex_lock(&helper->lock);
		helper->asked = false;
		pthread_cond_signal(&helper->changed);
	}
	helper->ended = true;
	orphan = helper->orphan;
	pthread_mutex_unlock(&helper->lock);
	if (orphan)
		helper_free(helper);
	return NULL;
}

/* Signals are for others. */
static int start_thread(struct helper *helper)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int err;

	if (pthread_attr_init(&attributes))
		return -ENOMEM;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, &attributes, help, helper);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -err;
}

static struct helper *helper_new(void)
{
	struct helper *helper = calloc(1, sizeof(*helper));
	pthread_condattr_t attributes;

	if (!helper)
		return NULL;
	pthread_mutex_init(&helper->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&helper->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	if (start_thread(helper)) {
		helper_free(helper);
		return NULL;
	}
	return helper;
}

/* No question comes any more. True where the thread is gone: then it was freed. */
static bool let_go(struct helper *helper, bool for_good)
{
	bool ended;

	pthread_mutex_lock(&helper->lock);
	helper->stop = true;
	ended = helper->ended;
	helper->orphan = for_good && !ended;
	pthread_cond_signal(&helper->changed);
	pthread_mutex_unlock(&helper->lock);
	if (ended)
		helper_free(helper);
	return ended;
}

int memory_reader_new(struct memory_reader **ret_reader)
{
	struct memory_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	*ret_reader = reader;
	return 0;
}

void memory_reader_free(struct memory_reader *reader)
{
	if (!reader)
		return;
	for (size_t i = 0; i < reader->left_count; i++)
		let_go(reader->left[i], true);
	if (reader->helper)
		let_go(reader->helper, true);
	free(reader);
}

/* Forgets those that are back by now. Is there one of the tenant's, or are there too many? */
static bool has_left(struct memory_reader *reader, uint64_t tenant)
{
	bool found = false;

	for (size_t i = reader->left_count; i-- > 0;) {
		uint64_t of = reader->left[i]->tenant;

		if (let_go(reader->left[i], false))
			reader->left[i] = reader->left[--reader->left_count];
		else
			found |= of == tenant;
	}
	return found || reader->left_count == MEMORY_READER_LEFT_MAX;
}

static struct timespec in_ms(int ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000l;
	if (until.tv_nsec >= 1000000000l) {
		until.tv_nsec -= 1000000000l;
		until.tv_sec++;
	}
	return until;
}

static int wait_until(struct helper *helper, struct timespec until)
{
	int err = 0;

	while (helper->asked && !err)
		err = pthread_cond_timedwait(&helper->changed, &helper->lock, &until);
	return err;
}

/* Who is left behind stops when it is back. */
static int wait_for(struct helper *helper)
{
	int err;

	pthread_mutex_lock(&helper->lock);
	helper->asked = true;
	pthread_cond_signal(&helper->changed);
	if (wait_until(helper, in_ms(MEMORY_READER_MS)))
		wait_until(helper, in_ms(CLOCK_LATE_MS));
	err = helper->asked ? -EHOSTDOWN : 0;
	helper->stop = helper->asked;
	pthread_mutex_unlock(&helper->lock);
	return err;
}

static int ask(struct memory_reader *reader, uint64_t tenant, pid_t pid, const struct memory_file *files, size_t count)
{
	struct helper *helper;

	if (has_left(reader, tenant))
		return -EHOSTDOWN;
	if (!reader->helper)
		reader->helper = helper_new();
	helper = reader->helper;
	if (!helper)
		return -EAGAIN;
	helper->tenant = tenant;
	helper->question.pid = pid;
	helper->question.count = count;
	for (size_t i = 0; i < count; i++)
		helper->question.files[i] = (struct memory_file){
			.start = files[i].start, .end = files[i].end, .error = -ENOENT, .path_fd = -1};
	if (!wait_for(helper))
		return 0;
	reader->left[reader->left_count++] = helper;
	reader->helper = NULL;
	return -EHOSTDOWN;
}

int memory_reader_maps(struct memory_reader *reader, uint64_t tenant, pid_t pid, char **ret_text)
{
	int err = ask(reader, tenant, pid, NULL, 0);
	struct question *question;

	if (err)
		return err;
	question = &reader->helper->question;
	if (!question->error)
		*ret_text = question->text;
	question->text = NULL;
	return question->error;
}

int memory_reader_files(struct memory_reader *reader, uint64_t tenant, pid_t pid, struct memory_file *files,
			size_t count)
{
	struct question *question;
	int err;

	if (!count)
		return 0;
	if (count > MEMORY_READER_FILES_MAX)
		return -EINVAL;
	err = ask(reader, tenant, pid, files, count);
	if (err)
		return err;
	question = &reader->helper->question;
	memcpy(files, question->files, count * sizeof(*files));
	question->count = 0;
	return 0;
}
