//! What `make bench` runs: the released program measured as a whole, in one run
//! with its peers and against the same nginx, on loopback only.

#[cfg(target_os = "linux")]
mod bench;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    bench::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("What a process costs is read from /proc here: run the benchmark on Linux.");
    std::process::ExitCode::from(3)
}
