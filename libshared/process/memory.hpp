#pragma once
// How glibc's allocator is set up: a program's resident memory is then what it uses, and not what it used at
// its largest moment. burst_memory.hpp decides when to give memory back.
namespace mdpipe::process {

// Call once, before the first thread.
void set_up_allocator();

// Gives the host all memory that is free, also what lies between pieces in use: milliseconds.
void give_memory_back();

}  // namespace mdpipe::process
