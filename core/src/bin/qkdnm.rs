//! The binary `qkdnm`: everything it does is in the library, see `qkdn_manager::cli`.

use std::process::ExitCode;

/// Many threads allocate small batches and hand them on to others; the system's allocator takes that badly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    qkdn_manager::cli::main()
}
