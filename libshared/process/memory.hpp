#pragma once
// What glibc's allocator is told, so that a program's resident memory is what it uses and not what it used at
// its largest moment.
namespace mdpipe::process {

// Call once, before the first thread.
void set_up_allocator();

}  // namespace mdpipe::process
