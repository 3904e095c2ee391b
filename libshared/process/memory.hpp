#pragma once
// What glibc's allocator and the kernel are told, so that a program's resident memory is what it uses and
// not what it used at its largest moment.
namespace mdpipe::process {

void set_up_allocator();

// Lets go of the code that was mapped so far: what a start or a connection's set-up used once leaves resident
// memory, what is still needed comes back from the page cache at its next use, some 100 page faults without
// input or output.
void release_code_pages();

}  // namespace mdpipe::process
