/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/containers/cgroup_path.h"
#include "profiler/containers/cgroup_tree.h"
#include "profiler/containers/container.h"
#include "tests/unit/fake_root.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TABLE "tests/fixtures/cgroup_paths.tsv"

static const char *dash(const char *text)
{
	return text[0] ? text : "-";
}

static void check_row(char *line)
{
	static const char *const kinds[] = {"unknown", "container", "host unit", "host", "kernel", "overhead"};
	struct cgroup_owner owner;
	char *field[6];

	for (size_t i = 0; i < 6; i++) {
		field[i] = strsep(&line, "\t");
		assert_non_null(field[i]);
	}
	cgroup_path_classify(field[0], &owner);
	if (strcmp(kinds[owner.kind], field[1]) != 0 || strcmp(dash(owner.runtime), field[2]) != 0)
		fail_msg("%s: %s of %s", field[0], kinds[owner.kind], dash(owner.runtime));
	assert_string_equal(dash(owner.id), field[3]);
	assert_string_equal(dash(owner.pod), field[4]);
	assert_string_equal(dash(owner.name), field[5]);
}

static void test_containers__every_path_of_the_table_is_what_it_says(void **state)
{
	FILE *file = fopen(TABLE, "r");
	char line[2048];
	int rows = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#')
			continue;
		check_row(line);
		rows++;
	}
	fclose(file);
	assert_true(rows >= 40);
}

static void test_containers__hostile_paths_end_in_bounds(void **state)
{
	struct cgroup_owner owner;
	char *path = malloc(100001);

	for (int c = 1; c < 256; c++) {
		memset(path, c, 100000);
		path[100000] = '\0';
		path[0] = '/';
		cgroup_path_classify(path, &owner);
		assert_true(strlen(owner.name) < sizeof(owner.name));
	}
	free(path);
	cgroup_path_classify("", &owner);
	assert_int_equal(owner.kind, CONTAINER_HOST);
	cgroup_path_classify("/machine-\\x2.scope/pod/docker-.scope/:cri-containerd:", &owner);
}

static void test_containers__docker_tells_name_and_image_and_a_rename_is_seen(void **state)
{
	struct container_resolver *resolver;
	struct container_info info;

	write_file(*state, "/var/lib/docker/containers/" ID "/config.v2.json",
		   "{\"Name\":\"/web\",\"Config\":{\"Image\":\"nginx:1\",\"Labels\":{}}}");
	assert_int_equal(container_resolver_new(*state, &resolver), 0);
	assert_int_equal(container_resolver_describe(resolver, "/docker/" ID, &info), 0);
	assert_string_equal(info.name, "web");
	assert_string_equal(info.image, "nginx:1");
	assert_true(container_matches(&info, "/docker/" ID, "web"));
	assert_true(container_matches(&info, "/docker/" ID, "012"));
	assert_false(container_matches(&info, "/docker/" ID, "01"));
	assert_false(container_matches(&info, "/docker/" ID, "we"));
	write_docker(*state, ID, "shop");
	container_resolver_refresh(resolver);
	assert_int_equal(container_resolver_describe(resolver, "/docker/" ID, &info), 0);
	assert_string_equal(info.name, "shop");
	container_resolver_free(resolver);
}

static void expect_name(const char *root, const char *path, const char *name, const char *pod, const char *image)
{
	struct container_resolver *resolver;
	struct container_info info;

	assert_int_equal(container_resolver_new(root, &resolver), 0);
	assert_int_equal(container_resolver_describe(resolver, path, &info), 0);
	assert_string_equal(info.name, name);
	assert_string_equal(info.pod, pod);
	assert_string_equal(info.image, image);
	container_resolver_free(resolver);
}

static void test_containers__an_images_labels_do_not_rename_a_docker_container(void **state)
{
	static const char config[] = "/var/lib/docker/containers/" ID "/config.v2.json";

#define SCOPE "docker-" ID ".scope"
#define LABELS                                                                                  \
	"\"Config\":{\"Image\":\"shop:1\",\"Labels\":{\"io.kubernetes.container.name\":\"db\"," \
	"\"io.kubernetes.pod.name\":\"db-0\",\"io.kubernetes.cri.image-name\":\"postgres\"}}"
	write_file(*state, config, "{\"Name\":\"/shop\"," LABELS "}");
	expect_name(*state, "/system.slice/" SCOPE, "shop", "", "shop:1");
	/* The kubelet's by its name, or by the path, which no image chooses. */
	write_file(*state, config, "{\"Name\":\"/k8s_db_db-0_default_1a2b3c4d_0\"," LABELS "}");
	expect_name(*state, "/system.slice/" SCOPE, "db", "db-0", "postgres");
	write_file(*state, config, "{\"Name\":\"/shop\"," LABELS "}");
	expect_name(*state, "/kubepods.slice/kubepods-pod1a2b3c4d_1111.slice/" SCOPE, "db", "db-0", "postgres");
#undef LABELS
#undef SCOPE
}

static void test_containers__one_inside_another_is_not_meant_by_an_id_that_it_took(void **state)
{
	static const char path[] = "/system.slice/nerdctl-" ID ".scope",
			  inside[] = "/lxc.payload.a/docker-" ID ".scope";
	struct container_resolver *resolver;
	struct container_info info;

	write_docker(*state, ID, "shop");
	assert_int_equal(container_resolver_new(*state, &resolver), 0);
	assert_int_equal(container_resolver_describe(resolver, path, &info), 0);
	assert_true(container_matches(&info, path, ID));
	assert_int_equal(container_resolver_describe(resolver, inside, &info), 0);
	assert_int_equal(info.kind, CONTAINER_CONTAINER);
	assert_string_equal(info.name, "a/0123456789ab");
	assert_string_equal(info.own, inside);
	assert_false(container_matches(&info, inside, ID));
	assert_false(container_matches(&info, inside, "shop"));
	assert_true(container_matches(&info, inside, "a/0123456789ab"));
	assert_int_equal(container_resolver_describe(resolver, "/lxc.payload.a/x/b.service", &info), 0);
	assert_string_equal(info.name, "a");
	assert_string_equal(info.own, "/lxc.payload.a");
	assert_string_equal(info.unit, "b.service");
	container_resolver_free(resolver);
}

static void test_containers__what_does_not_parse_leaves_the_short_id(void **state)
{
	struct container_resolver *resolver;
	struct container_info info;
	char deep[20001], path[512];

	memset(deep, '[', 20000);
	deep[20000] = '\0';
	write_file(*state, "/var/lib/docker/containers/" ID "/config.v2.json", deep);
	assert_int_equal(container_resolver_new(*state, &resolver), 0);
	assert_int_equal(container_resolver_describe(resolver, "/docker/" ID, &info), 0);
	assert_string_equal(info.name, "0123456789ab");
	/* A FIFO in its place must not hang us. */
	snprintf(path, sizeof(path), "%s/var/lib/docker/containers/" ID "/config.v2.json", (char *)*state);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	container_resolver_refresh(resolver);
	assert_int_equal(container_resolver_describe(resolver, "/docker/" ID, &info), 0);
	assert_string_equal(info.name, "0123456789ab");
	container_resolver_free(resolver);
}

static void test_containers__runc_state_makes_a_directory_a_container(void **state)
{
	struct container_resolver *resolver;
	struct container_info info;

	assert_int_equal(container_resolver_new(*state, &resolver), 0);
	assert_int_equal(container_resolver_describe(resolver, "/web-1", &info), 0);
	assert_int_equal(info.kind, CONTAINER_HOST);
	write_file(*state, "/run/runc/web-1/state.json", "{}trailing");
	container_resolver_refresh(resolver);
	assert_int_equal(container_resolver_describe(resolver, "/web-1", &info), 0);
	assert_int_equal(info.kind, CONTAINER_CONTAINER);
	assert_string_equal(info.name, "web-1");
	assert_string_equal(info.runtime, "runc");
	container_resolver_free(resolver);
}

static int count_one(void *data, uint64_t id, const char *path)
{
	(*(int *)data)++;
	return 0;
}

static void test_containers__hybrid_hierarchies_are_told_apart_by_id(void **state)
{
	struct cgroup_tree *tree;
	uint64_t inner, old;
	int below = 0;

	write_file(*state, "/proc/self/mountinfo",
		   "1 0 0:1 / /cg/unified rw - cgroup2 cgroup2 rw\n2 0 0:2 / /cg/mem rw - cgroup cgroup rw,memory\n");
	inner = make_folder(*state, "/cg/unified/web/inner");
	old = make_folder(*state, "/cg/mem/old");
	assert_int_equal(cgroup_tree_new(*state, &tree), 0);
	assert_string_equal(cgroup_tree_mode(tree), "hybrid");
	assert_int_equal(cgroup_tree_v1_mask(tree), 1 << 2);
	assert_int_equal(cgroup_tree_scan(tree), 0);
	assert_string_equal(cgroup_tree_path(tree, inner), "/web/inner");
	assert_null(cgroup_tree_path(tree, old));
	assert_string_equal(cgroup_tree_path(tree, 2ull << 56 | old), "/old");
	assert_int_equal(cgroup_tree_below(tree, "/web", count_one, &below), 0);
	assert_int_equal(below, 2);
	for (uint64_t i = 0; i < 200000; i++)
		assert_int_equal(cgroup_tree_put(tree, 1ull << 40 | i, "/storm"), 0);
	assert_string_equal(cgroup_tree_path(tree, 1ull << 40 | 199999), "/storm");
	assert_null(cgroup_tree_path(tree, 1ull << 40));
	cgroup_tree_free(tree);
}

static void test_containers__with_v1_alone_what_is_in_no_cgroup_is_the_host(void **state)
{
	struct container_resolver *resolver;
	struct container_info info;
	struct cgroup_tree *tree;

	write_file(*state, "/proc/self/mountinfo", "2 0 0:2 / /cg/mem rw - cgroup cgroup rw,memory\n");
	write_file(*state, "/cg/mem/old/x", "");
	assert_int_equal(cgroup_tree_new(*state, &tree), 0);
	assert_string_equal(cgroup_tree_mode(tree), "v1");
	assert_int_equal(cgroup_tree_scan(tree), 0);
	assert_non_null(cgroup_tree_path(tree, 0));
	assert_int_equal(container_resolver_new(*state, &resolver), 0);
	assert_int_equal(container_resolver_describe(resolver, cgroup_tree_path(tree, 0), &info), 0);
	assert_int_equal(info.kind, CONTAINER_HOST);
	container_resolver_free(resolver);
	cgroup_tree_free(tree);
}

/* In the place of one there is another one: made while the first was still there, so that their inodes differ. */
static void replace_folder(const char *root, const char *old, const char *new)
{
	char old_path[1024], new_path[1024];

	assert_true(snprintf(old_path, sizeof(old_path), "%s%s", root, old) < (int)sizeof(old_path));
	assert_true(snprintf(new_path, sizeof(new_path), "%s%s", root, new) < (int)sizeof(new_path));
	assert_int_equal(rename(new_path, old_path), 0);
}

static void test_containers__a_cgroup_is_gone_where_another_one_has_its_path(void **state)
{
	uint64_t stays, replaced, removed, new;
	struct cgroup_tree *tree;
	char path[1024];

	write_file(*state, "/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n");
	stays = make_folder(*state, "/cg/stays");
	replaced = make_folder(*state, "/cg/replaced");
	removed = make_folder(*state, "/cg/removed");
	assert_int_equal(cgroup_tree_new(*state, &tree), 0);
	assert_int_equal(cgroup_tree_scan(tree), 0);
	cgroup_tree_look(tree);
	assert_false(cgroup_tree_is_gone(tree, replaced));
	new = make_folder(*state, "/made");
	assert_int_not_equal(new, replaced);
	replace_folder(*state, "/cg/replaced", "/made");
	assert_true(snprintf(path, sizeof(path), "%s/cg/removed", (char *)*state) < (int)sizeof(path));
	assert_int_equal(rmdir(path), 0);
	cgroup_tree_look(tree);
	assert_false(cgroup_tree_is_gone(tree, stays));
	assert_true(cgroup_tree_is_gone(tree, replaced));
	assert_true(cgroup_tree_is_gone(tree, removed));
	cgroup_tree_free(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_containers__every_path_of_the_table_is_what_it_says),
		cmocka_unit_test(test_containers__hostile_paths_end_in_bounds),
		cmocka_unit_test_setup_teardown(test_containers__docker_tells_name_and_image_and_a_rename_is_seen,
						make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_containers__an_images_labels_do_not_rename_a_docker_container,
						make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_containers__one_inside_another_is_not_meant_by_an_id_that_it_took,
						make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_containers__what_does_not_parse_leaves_the_short_id, make_root,
						remove_root),
		cmocka_unit_test_setup_teardown(test_containers__runc_state_makes_a_directory_a_container, make_root,
						remove_root),
		cmocka_unit_test_setup_teardown(test_containers__hybrid_hierarchies_are_told_apart_by_id, make_root,
						remove_root),
		cmocka_unit_test_setup_teardown(test_containers__a_cgroup_is_gone_where_another_one_has_its_path,
						make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_containers__with_v1_alone_what_is_in_no_cgroup_is_the_host,
						make_root, remove_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
