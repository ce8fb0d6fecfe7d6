//! The libraries that do the cryptography, called without a token around them: what no provider of them can pass.
//!
//! usage: `bare-library [FILTER]`
//!
//! The rows have the names of `p11bench.c` and its output (`test threads value unit min max cpu`, wall and CPU figures in
//! operations a second), so that `p11compare.py` takes the program for one more module. FILTER (prefixes, with commas between)
//! and P11BENCH_SECS are p11bench's. Keys are prepared once and output goes into memory that is there: the bare primitive.
//!
//! Each row is served by the library that the HSM uses for it: AWS-LC through `aws-lc-rs`, digests and HMAC by RustCrypto.

mod asymmetric;
mod symmetric;

use std::error::Error;
use std::io::Write as _;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// What a row does again and again; the library's own errors end the program.
type Operation = Box<dyn FnMut() -> Result<(), Box<dyn Error>>>;

/// One row: its name in p11bench, and what prepares its key and input.
type Row = (&'static str, fn() -> Result<Operation, Box<dyn Error>>);

/// The CPU time that this process has used.
fn cpu_time() -> Result<Duration, Box<dyn Error>> {
    Ok(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into())
}

/// Runs `operation` for about `seconds`: operations a second of wall time and of CPU time. The batches are p11bench's.
fn rate(operation: &mut Operation, seconds: f64) -> Result<(f64, f64), Box<dyn Error>> {
    let (begin, cpu_begin) = (Instant::now(), cpu_time()?);
    let (mut done, mut batch, mut last) = (0u32, 1u32, begin);
    loop {
        for _ in 0..batch {
            operation()?;
        }
        done = done.saturating_add(batch);
        let now = Instant::now();
        if now - last < Duration::from_millis(1) && batch < 4096 {
            batch *= 2;
        }
        last = now;
        if (now - begin).as_secs_f64() >= seconds {
            let cpu = (cpu_time()? - cpu_begin).as_secs_f64();
            return Ok((f64::from(done) / (now - begin).as_secs_f64(), f64::from(done) / cpu));
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let seconds = std::env::var("P11BENCH_SECS").ok().and_then(|text| text.parse().ok()).unwrap_or(0.5);
    let mut out = std::io::stdout();
    for (name, prepare) in symmetric::ROWS.iter().chain(asymmetric::ROWS) {
        if !filter.split(',').any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let mut operation = prepare()?;
        operation()?;
        let (wall, cpu) = rate(&mut operation, seconds)?;
        writeln!(out, "{name}\t1\t{wall:.6}\tops/s\t{wall:.6}\t{wall:.6}\t{cpu:.6}")?;
    }
    Ok(())
}
