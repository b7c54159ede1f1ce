/* SPDX-License-Identifier: BSD-2-Clause */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/elf_image.h"
#include "tests/unit/elf_files.h"

#define DATA_BYTES_MAX (64u << 20)

static struct elf_image open_image(const char *path, int *fd)
{
	struct elf_image image;
	struct elf_source source;

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(*fd >= 0);
	source = elf_source_file(*fd);
	assert_int_equal(elf_image_init(&image, &source), 0);
	return image;
}

static void close_image(struct elf_image *image, int fd)
{
	elf_image_deinit(image);
	close(fd);
}

static struct elf_data section_of(const char *path, const char *name)
{
	struct elf_data data = {0};
	struct elf_image image;
	int fd;

	image = open_image(path, &fd);
	assert_non_null(elf_image_section(&image, name));
	assert_int_equal(elf_image_data(&image, elf_image_section(&image, name), DATA_BYTES_MAX, &data), 0);
	close_image(&image, fd);
	return data;
}

static void test_elf_image__outlines_our_own_program(void **state)
{
	struct elf_image image;
	int fd;

	image = open_image("/proc/self/exe", &fd);
	assert_true(image.is_64);
	assert_non_null(elf_image_section(&image, ".text"));
	assert_non_null(elf_image_section_of_type(&image, SHT_DYNSYM));
	assert_null(elf_image_section(&image, ".no_such_section"));
	assert_true(image.segments.count > 4);
	close_image(&image, fd);
}

static void test_elf_image__text_and_other_classes_are_no_elf(void **state)
{
	static const unsigned char big_endian[64] = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2MSB, 1};
	static const unsigned char class_3[64] = {0x7f, 'E', 'L', 'F', 3, ELFDATA2LSB, 1};
	struct elf_source sources[] = {
		elf_source_memory("#!/bin/sh\n", 10),	     elf_source_memory("", 0),
		elf_source_memory("\177ELF\2\1\1", 7),	     elf_source_memory(big_endian, sizeof(big_endian)),
		elf_source_memory(class_3, sizeof(class_3)),
	};
	struct elf_image image;

	for (size_t i = 0; i < ARRAY_LENGTH(sources); i++)
		assert_int_equal(elf_image_init(&image, &sources[i]), -ENOEXEC);
}

static void test_elf_image__compressed_sections_read_as_before_compression(void **state)
{
	struct place *place = *state;
	static const char *const ways[] = {"zlib", "zlib-gnu", "zstd"};
	struct elf_data plain, packed;

	compile(place, "plain", "-g");
	plain = section_of(in_place(place, "plain"), ".debug_info");
	for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
		run("objcopy --compress-debug-sections=%s %s/plain %s/packed", ways[i], place->folder, place->folder);
		run("! cmp -s %s/plain %s/packed", place->folder, place->folder);
		packed = section_of(in_place(place, "packed"), ".debug_info");
		assert_int_equal(packed.size, plain.size);
		assert_memory_equal(packed.bytes, plain.bytes, plain.size);
		elf_data_deinit(&packed);
	}
	elf_data_deinit(&plain);
}

static void test_elf_image__build_id_is_the_one_that_the_linker_was_given(void **state)
{
	struct place *place = *state;
	static const unsigned char wanted[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
	struct elf_build_id id;
	struct elf_image image;
	int fd;

	compile(place, "a", "-Wl,--build-id=0x0123456789abcdef");
	image = open_image(in_place(place, "a"), &fd);
	assert_true(elf_image_build_id(&image, &id));
	assert_int_equal(id.bytes, sizeof(wanted));
	assert_memory_equal(id.id, wanted, sizeof(wanted));
	/* Segments alone tell it too. */
	image.sections.count = 0;
	memset(&id, 0, sizeof(id));
	assert_true(elf_image_build_id(&image, &id));
	assert_memory_equal(id.id, wanted, sizeof(wanted));
	close_image(&image, fd);

	compile(place, "b", "-Wl,--build-id=none");
	image = open_image(in_place(place, "b"), &fd);
	assert_false(elf_image_build_id(&image, &id));
	close_image(&image, fd);
}

static void test_elf_image__debug_link_names_the_file_with_its_crc(void **state)
{
	struct place *place = *state;
	struct elf_debug_link link;
	struct elf_image image;
	uint32_t crc = 0;
	int fd;

	compile(place, "a", "-g");
	run("cd %s && objcopy --only-keep-debug a a.debug && objcopy --strip-all --add-gnu-debuglink=a.debug a b",
	    place->folder);
	image = open_image(in_place(place, "b"), &fd);
	assert_true(elf_image_debug_link(&image, &link));
	assert_string_equal(link.name, "a.debug");
	close_image(&image, fd);
	fd = open(in_place(place, "a.debug"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(elf_file_crc(fd, DATA_BYTES_MAX, &crc), 0);
	assert_int_equal(crc, link.crc);
	assert_int_equal(elf_file_crc(fd, 100, &crc), -EFBIG);
	close(fd);
	image = open_image(in_place(place, "a"), &fd);
	assert_false(elf_image_debug_link(&image, &link));
	close_image(&image, fd);
}

static void test_elf_image__debug_links_that_are_empty_or_without_an_end_are_none(void **state)
{
	static const char *const texts[] = {"", "name without an end", "\\0abc", "a\\0", "a\\0\\0\\0abc"};
	struct elf_debug_link link;
	struct elf_alt_link alternate;
	struct elf_image image;
	int fd;

	compile(*state, "a", "");
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
		run("cd %s && printf '%s' >text && objcopy --add-section .gnu_debuglink=text "
		    "--add-section .gnu_debugaltlink=text a b",
		    ((struct place *)*state)->folder, texts[i]);
		image = open_image(in_place(*state, "b"), &fd);
		assert_non_null(elf_image_section(&image, ".gnu_debuglink"));
		assert_false(elf_image_debug_link(&image, &link));
		assert_int_equal(elf_image_alt_link(&image, &alternate), i == 4);
		close_image(&image, fd);
	}
}

static void test_elf_image__alt_link_names_the_shared_file_with_its_build_id(void **state)
{
	struct place *place = *state;
	struct elf_build_id id;
	struct elf_alt_link link;
	struct elf_image image;
	int fd;

	compile(place, "a", "-g");
	run("cd %s && cp a b && dwz -m common -M /x/common a b", place->folder);
	image = open_image(in_place(place, "common"), &fd);
	assert_true(elf_image_build_id(&image, &id));
	close_image(&image, fd);
	image = open_image(in_place(place, "a"), &fd);
	assert_true(elf_image_alt_link(&image, &link));
	assert_string_equal(link.name, "/x/common");
	assert_true(elf_build_id_equal(&link.build_id, &id));
	close_image(&image, fd);
}

/* What files claim: one section in memory, said to be compressed. */
struct claim {
	Elf64_Ehdr header;
	Elf64_Shdr sections[2];
	Elf64_Chdr compression;
	unsigned char data[1024];
};

static int data_of_claim(const struct claim *claim, size_t max)
{
	struct elf_source source = elf_source_memory(claim, sizeof(*claim));
	struct elf_data data = {0};
	struct elf_image image;
	int err;

	assert_int_equal(elf_image_init(&image, &source), 0);
	assert_int_equal(image.sections.count, 2);
	err = elf_image_data(&image, &image.sections.items[1], max, &data);
	elf_data_deinit(&data);
	elf_image_deinit(&image);
	return err;
}

static struct claim make_claim(void)
{
	return (struct claim){
		.header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
			   .e_shoff = offsetof(struct claim, sections),
			   .e_shentsize = sizeof(Elf64_Shdr),
			   .e_shnum = 2},
		.sections[1] = {.sh_type = SHT_PROGBITS,
				.sh_offset = offsetof(struct claim, compression),
				.sh_size = sizeof(Elf64_Chdr) + 1024},
	};
}

static void test_elf_image__a_section_past_the_end_of_the_file_costs_no_memory(void **state)
{
	struct claim claim = make_claim();

	claim.sections[1].sh_size = 1ull << 40;
	assert_int_equal(data_of_claim(&claim, SIZE_MAX), -ENOEXEC);
	assert_int_equal(data_of_claim(&claim, DATA_BYTES_MAX), -E2BIG);
	claim.sections[1].sh_size = UINT64_MAX;
	assert_int_equal(data_of_claim(&claim, SIZE_MAX), -ENOEXEC);
	claim.sections[1].sh_offset = UINT64_MAX - 4;
	claim.sections[1].sh_size = 64;
	assert_int_equal(data_of_claim(&claim, SIZE_MAX), -ENOEXEC);
}

static void test_elf_image__a_kilobyte_that_claims_a_terabyte_is_refused(void **state)
{
	struct claim claim = make_claim();

	claim.sections[1].sh_flags = SHF_COMPRESSED;
	for (uint32_t type = 1; type <= 2; type++) {
		claim.compression = (Elf64_Chdr){.ch_type = type, .ch_size = 1ull << 40};
		assert_int_equal(data_of_claim(&claim, SIZE_MAX), -E2BIG);
		/* A size within limits, and no stream behind it. */
		claim.compression.ch_size = 4096;
		assert_int_equal(data_of_claim(&claim, SIZE_MAX), -ENOEXEC);
	}
	claim.compression.ch_type = 77;
	assert_int_equal(data_of_claim(&claim, SIZE_MAX), -EOPNOTSUPP);
	claim.sections[1].sh_size = 4;
	assert_int_equal(data_of_claim(&claim, SIZE_MAX), -ENOEXEC);
}

static void test_elf_image__a_bomb_is_refused_by_its_ratio(void **state)
{
	struct place *place = *state;
	static const char *const ways[] = {"zlib", "zstd"};

	compile(place, "plain", "");
	run("cd %s && head -c 60000000 /dev/zero >zeros && objcopy --add-section .debug_bomb=zeros plain bomb",
	    place->folder);
	for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
		struct elf_data data = {0};
		struct elf_image image;
		int fd, err;

		run("cd %s && objcopy --compress-debug-sections=%s bomb packed", place->folder, ways[i]);
		image = open_image(in_place(place, "packed"), &fd);
		err = elf_image_data(&image, elf_image_section(&image, ".debug_bomb"), DATA_BYTES_MAX, &data);
		/* deflate cannot reach the ratio; zstd can. */
		assert_int_equal(err, i ? -E2BIG : 0);
		elf_data_deinit(&data);
		assert_int_equal(elf_image_data(&image, elf_image_section(&image, ".debug_bomb"), 1u << 20, &data),
				 -E2BIG);
		close_image(&image, fd);
	}
}

static void test_elf_image__section_tables_that_lie_are_empty_or_cut(void **state)
{
	static char many[64 + 70000 * sizeof(Elf64_Shdr)];
	Elf64_Ehdr *header = (Elf64_Ehdr *)many;
	struct elf_source source = elf_source_memory(many, sizeof(many));
	struct elf_image image;

	*header = make_claim().header;
	header->e_shoff = 64;
	/* Extended numbering: the count is in the first section. */
	header->e_shnum = 0;
	((Elf64_Shdr *)(many + 64))->sh_size = 69000;
	assert_int_equal(elf_image_init(&image, &source), 0);
	assert_int_equal(image.sections.count, ELF_SECTIONS_MAX);
	elf_image_deinit(&image);

	header->e_shoff = sizeof(many) - 64;
	header->e_shnum = 60000;
	assert_int_equal(elf_image_init(&image, &source), 0);
	assert_int_equal(image.sections.count, 0);
	elf_image_deinit(&image);

	header->e_shoff = UINT64_MAX - 2;
	header->e_phoff = UINT64_MAX - 2;
	header->e_phnum = 65535;
	header->e_phentsize = sizeof(Elf64_Phdr);
	assert_int_equal(elf_image_init(&image, &source), 0);
	assert_int_equal(image.sections.count + image.segments.count, 0);
	elf_image_deinit(&image);
}

static int check_debug(struct place *place, const char *program, const char *candidate)
{
	struct elf_build_id build_id = {0};
	struct elf_debug_link link = {0};
	struct elf_image image;
	int fd, err;

	image = open_image(in_place(place, program), &fd);
	elf_image_build_id(&image, &build_id);
	elf_image_debug_link(&image, &link);
	close_image(&image, fd);
	fd = open(in_place(place, candidate), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	err = elf_debug_file_check(&build_id, &link, fd);
	close(fd);
	return err;
}

static void test_elf_image__a_debug_file_is_known_by_build_id_or_by_crc(void **state)
{
	compile(*state, "named", "-g -Wl,--build-id=0x0102030405060708");
	compile(*state, "other", "-g -Wl,--build-id=0x0102030405060709");
	compile(*state, "nameless", "-g -Wl,--build-id=none");
	run("cd %s && for i in named other nameless; do objcopy --only-keep-debug $i $i.debug && strip $i && "
	    "objcopy --add-gnu-debuglink=$i.debug $i; done && cp nameless.debug changed.debug && echo >>changed.debug",
	    ((struct place *)*state)->folder);
	assert_int_equal(check_debug(*state, "named", "named.debug"), 0);
	assert_int_equal(check_debug(*state, "named", "other.debug"), -EKEYREJECTED);
	assert_int_equal(check_debug(*state, "named", "nameless.debug"), -EKEYREJECTED);
	assert_int_equal(check_debug(*state, "nameless", "nameless.debug"), 0);
	assert_int_equal(check_debug(*state, "nameless", "changed.debug"), -EKEYREJECTED);
	assert_int_equal(check_debug(*state, "nameless", "program.c"), -ENOEXEC);
	/* Of the same build-id, and no help. */
	assert_int_equal(check_debug(*state, "named", "named"), -EKEYREJECTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elf_image__outlines_our_own_program),
		cmocka_unit_test(test_elf_image__text_and_other_classes_are_no_elf),
		cmocka_unit_test(test_elf_image__compressed_sections_read_as_before_compression),
		cmocka_unit_test(test_elf_image__build_id_is_the_one_that_the_linker_was_given),
		cmocka_unit_test(test_elf_image__debug_link_names_the_file_with_its_crc),
		cmocka_unit_test(test_elf_image__a_debug_file_is_known_by_build_id_or_by_crc),
		cmocka_unit_test(test_elf_image__debug_links_that_are_empty_or_without_an_end_are_none),
		cmocka_unit_test(test_elf_image__alt_link_names_the_shared_file_with_its_build_id),
		cmocka_unit_test(test_elf_image__a_section_past_the_end_of_the_file_costs_no_memory),
		cmocka_unit_test(test_elf_image__a_kilobyte_that_claims_a_terabyte_is_refused),
		cmocka_unit_test(test_elf_image__a_bomb_is_refused_by_its_ratio),
		cmocka_unit_test(test_elf_image__section_tables_that_lie_are_empty_or_cut),
	};

	return cmocka_run_group_tests(tests, place_set_up, place_tear_down);
}
