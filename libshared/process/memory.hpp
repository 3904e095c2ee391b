#pragma once
// What glibc's allocator is told, so that a program's resident memory is what it uses and not what it used at
// its largest moment.
namespace mdpipe::process {

// Call once, before the first thread.
void set_up_allocator();

// Gives the kernel back what is free, also in the middle of the heap: after something large was made and
// thrown away. Takes some milliseconds.
void give_back_free_memory();

}  // namespace mdpipe::process
