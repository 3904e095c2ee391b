#pragma once
// How glibc's allocator is set up: a program's resident memory is then what it uses, and not what it used at
// its largest moment. burst_memory.hpp decides when to give memory back.
namespace mdpipe::process {

// Call once, before the first thread.
void set_up_allocator();

// Gives all free memory back to the host, also between blocks in use. Takes milliseconds.
void give_memory_back();

}  // namespace mdpipe::process
