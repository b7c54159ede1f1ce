/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/dwarf_expression.h"

#include <dwarf.h>
#include <string.h>

#define DEPTH_MAX 32
#define STEPS_MAX 1024
#define OPERATIONS_MAX 512

struct machine {
	const struct call_registers *registers;
	const uint64_t *cfa;
	const struct call_memory *memory;
	uint64_t stack[DEPTH_MAX];
	size_t depth;
	bool bad;
};

static void push(struct machine *machine, uint64_t value)
{
	if (machine->depth == DEPTH_MAX)
		machine->bad = true;
	else
		machine->stack[machine->depth++] = value;
}

static uint64_t pop(struct machine *machine)
{
	if (!machine->depth) {
		machine->bad = true;
		return 0;
	}
	return machine->stack[--machine->depth];
}

static void push_nth(struct machine *machine, uint64_t from_top)
{
	if (from_top >= machine->depth)
		machine->bad = true;
	else
		push(machine, machine->stack[machine->depth - 1 - from_top]);
}

static void push_register(struct machine *machine, uint64_t number, uint64_t offset)
{
	if (number >= CALL_REGISTERS || !(machine->registers->known & 1u << number))
		machine->bad = true;
	else
		push(machine, machine->registers->value[number] + offset);
}

static void push_memory(struct machine *machine, uint64_t bytes)
{
	uint64_t word = 0;

	if (!bytes || bytes > sizeof(word) || !machine->memory->read(machine->memory->data, pop(machine), &word))
		machine->bad = true;
	push(machine, bytes < sizeof(word) ? word & ((1ull << 8 * bytes) - 1) : word);
}

/* The top goes below the @count - 1 that come after it. */
static void turn(struct machine *machine, size_t count)
{
	uint64_t *first, top;

	if (machine->depth < count) {
		machine->bad = true;
		return;
	}
	first = &machine->stack[machine->depth - count];
	top = first[count - 1];
	memmove(first + 1, first, (count - 1) * sizeof(*first));
	*first = top;
}

static uint64_t divide(struct machine *machine, int64_t left, int64_t right)
{
	if (!right || (left == INT64_MIN && right == -1)) {
		machine->bad = true;
		return 0;
	}
	return (uint64_t)(left / right);
}

static uint64_t shift(uint8_t atom, uint64_t left, uint64_t right)
{
	if (atom == DW_OP_shra)
		return (uint64_t)((int64_t)left >> (right < 63 ? right : 63));
	if (right > 63)
		return 0;
	return atom == DW_OP_shl ? left << right : left >> right;
}

/* The operations that make one of two. False where @atom is none of them. */
static bool run_binary(struct machine *machine, uint8_t atom)
{
	uint64_t right = pop(machine), left = pop(machine);
	int64_t signed_left = (int64_t)left, signed_right = (int64_t)right;

	switch (atom) {
	case DW_OP_and:
		push(machine, left & right);
		return true;
	case DW_OP_or:
		push(machine, left | right);
		return true;
	case DW_OP_xor:
		push(machine, left ^ right);
		return true;
	case DW_OP_plus:
		push(machine, left + right);
		return true;
	case DW_OP_minus:
		push(machine, left - right);
		return true;
	case DW_OP_mul:
		push(machine, left * right);
		return true;
	case DW_OP_div:
		push(machine, divide(machine, signed_left, signed_right));
		return true;
	case DW_OP_mod:
		machine->bad |= !right;
		push(machine, right ? left % right : 0);
		return true;
	case DW_OP_shl:
	case DW_OP_shr:
	case DW_OP_shra:
		push(machine, shift(atom, left, right));
		return true;
	case DW_OP_eq:
		push(machine, left == right);
		return true;
	case DW_OP_ne:
		push(machine, left != right);
		return true;
	case DW_OP_lt:
		push(machine, signed_left < signed_right);
		return true;
	case DW_OP_le:
		push(machine, signed_left <= signed_right);
		return true;
	case DW_OP_gt:
		push(machine, signed_left > signed_right);
		return true;
	case DW_OP_ge:
		push(machine, signed_left >= signed_right);
		return true;
	}
	return false;
}

/* The operations on the top of the stack and its order. False where it is none of them. */
static bool run_on_top(struct machine *machine, const Dwarf_Op *operation)
{
	switch (operation->atom) {
	case DW_OP_dup:
		push_nth(machine, 0);
		return true;
	case DW_OP_over:
		push_nth(machine, 1);
		return true;
	case DW_OP_pick:
		push_nth(machine, operation->number);
		return true;
	case DW_OP_drop:
		pop(machine);
		return true;
	case DW_OP_swap:
		turn(machine, 2);
		return true;
	case DW_OP_rot:
		turn(machine, 3);
		return true;
	case DW_OP_deref:
		push_memory(machine, sizeof(uint64_t));
		return true;
	case DW_OP_deref_size:
		push_memory(machine, operation->number);
		return true;
	case DW_OP_abs:
		if (machine->depth && (int64_t)machine->stack[machine->depth - 1] >= 0)
			return true;
		push(machine, 0 - pop(machine));
		return true;
	case DW_OP_neg:
		push(machine, 0 - pop(machine));
		return true;
	case DW_OP_not:
		push(machine, ~pop(machine));
		return true;
	case DW_OP_plus_uconst:
		push(machine, pop(machine) + operation->number);
		return true;
	case DW_OP_nop:
		return true;
	}
	return false;
}

/* The operations that push what is known. False where it is none of them. */
static bool run_push(struct machine *machine, const Dwarf_Op *operation)
{
	uint8_t atom = operation->atom;

	if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31) {
		push(machine, atom - DW_OP_lit0);
	} else if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31) {
		push_register(machine, atom - DW_OP_breg0, operation->number);
	} else if (atom == DW_OP_bregx) {
		push_register(machine, operation->number, operation->number2);
	} else if (atom >= DW_OP_const1u && atom <= DW_OP_consts) {
		push(machine, operation->number);
	} else if (atom == DW_OP_call_frame_cfa) {
		machine->bad |= !machine->cfa;
		push(machine, machine->cfa ? *machine->cfa : 0);
	} else {
		return false;
	}
	return true;
}

/* What is in a register is no address. */
static bool run_register(struct machine *machine, const Dwarf_Op *operation)
{
	uint64_t number = (uint64_t)operation->atom - DW_OP_reg0;

	push_register(machine, operation->atom == DW_OP_regx ? operation->number : number, 0);
	return true;
}

static uint64_t unsigned_bytes(uint64_t number)
{
	uint64_t bytes = 1;

	for (; number > 0x7f; number >>= 7)
		bytes++;
	return bytes;
}

static uint64_t signed_bytes(uint64_t number)
{
	/* One bit more, for the sign. */
	return unsigned_bytes((int64_t)number < 0 ? ~number << 1 : number << 1);
}

/* What an operation takes in the file, numbers of variable length as short as they can be: libdw does not say. */
static uint64_t bytes_of(const Dwarf_Op *operation)
{
	switch (operation->atom) {
	case DW_OP_const1u:
	case DW_OP_const1s:
	case DW_OP_pick:
	case DW_OP_deref_size:
		return 2;
	case DW_OP_const2u:
	case DW_OP_const2s:
	case DW_OP_skip:
	case DW_OP_bra:
		return 3;
	case DW_OP_const4u:
	case DW_OP_const4s:
		return 5;
	case DW_OP_const8u:
	case DW_OP_const8s:
		return 9;
	case DW_OP_constu:
	case DW_OP_plus_uconst:
	case DW_OP_regx:
		return 1 + unsigned_bytes(operation->number);
	case DW_OP_consts:
		return 1 + signed_bytes(operation->number);
	case DW_OP_bregx:
		return 1 + unsigned_bytes(operation->number) + signed_bytes(operation->number2);
	}
	return operation->atom >= DW_OP_breg0 && operation->atom <= DW_OP_breg31 ? 1 + signed_bytes(operation->number)
										 : 1;
}

/* The number of the operation that a branch leads to; one past the last ends the expression. */
static size_t target_of(struct machine *machine, const Dwarf_Op *operations, size_t count, size_t from)
{
	uint64_t offset = operations[from].offset + 3 + (uint64_t)(int64_t)(int16_t)operations[from].number;

	for (size_t i = 0; i < count; i++)
		if (operations[i].offset == offset)
			return i;
	machine->bad |= offset != operations[count - 1].offset + bytes_of(&operations[count - 1]);
	return count;
}

static void run_one(struct machine *machine, const Dwarf_Op *operation)
{
	if (!run_push(machine, operation) && !run_on_top(machine, operation) && !run_binary(machine, operation->atom))
		machine->bad = true;
}

bool dwarf_expression_run(const Dwarf_Op *operations, size_t count, const struct call_registers *registers,
			  const uint64_t *cfa, const struct call_memory *memory, uint64_t *ret_result,
			  bool *ret_is_value)
{
	struct machine machine = {.registers = registers, .cfa = cfa, .memory = memory};
	bool is_value = false;
	uint64_t result;
	size_t at = 0;

	if (count > OPERATIONS_MAX)
		return false;
	for (int steps = 0; at < count && !machine.bad && !is_value; steps++) {
		uint8_t atom = operations[at].atom;

		machine.bad |= steps == STEPS_MAX;
		if (atom == DW_OP_stack_value)
			is_value = true;
		else if (atom == DW_OP_regx || (atom >= DW_OP_reg0 && atom <= DW_OP_reg31))
			is_value = run_register(&machine, &operations[at]);
		else if (atom == DW_OP_skip || (atom == DW_OP_bra && pop(&machine)))
			at = target_of(&machine, operations, count, at);
		else if (atom == DW_OP_bra)
			at++;
		else
			run_one(&machine, &operations[at++]);
	}
	result = pop(&machine);
	if (machine.bad)
		return false;
	*ret_result = result;
	*ret_is_value = is_value;
	return true;
}
