//! What a request costs. benches/README.md says what there is to measure.

use std::process::ExitCode;

/// The allocator of the product, for both contenders that this repository builds.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    zengate_bench::main()
}
