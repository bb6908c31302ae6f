//! How dear it is to be observed: `cargo bench -p observer`.
//!
//! A child makes 20,000 send and recv pairs on a socketpair and 80,000 calls of no interest. It runs on its own, under the
//! observer, and under `strace` without and with its seccomp filter; each prints every line, to `/dev/null`. What is compared
//! is processor time, user and system, of the tracer and the child together: it is far steadier than time on the clock.
//! The four take turns, and each ratio is between two runs of the same round.

use std::io;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 9;

/// Processor time and time on the clock of one run.
#[derive(Clone, Copy)]
struct Cost {
    processor: Duration,
    clock: Duration,
}

fn main() -> ExitCode {
    match compare() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> io::Result<()> {
    let child = env!("CARGO_BIN_EXE_observer-children");
    let strace =
        ["/usr/bin/strace", "/bin/strace", "/usr/local/bin/strace"].into_iter().find(|path| Path::new(path).is_file());
    let mut contestants: Vec<(&str, Vec<&str>)> =
        vec![("untraced", vec![child, "work"]), ("observer", vec![child, "observe", child, "work"])];
    match strace {
        Some(strace) => {
            let network = ["-f", "-e", "trace=network", "-o", "/dev/null", child, "work"];
            let filtered = [&["--seccomp-bpf"], &network[..]].concat();
            contestants.push(("strace -f -e trace=network", [&[strace], &network[..]].concat()));
            contestants.push(("strace --seccomp-bpf -f -e trace=network", [&[strace], &filtered[..]].concat()));
        }
        None => println!("strace is not installed: the observer is compared with an untraced run only"),
    }

    let mut rounds: Vec<Vec<Cost>> = Vec::new();
    for round in 0..=ROUNDS {
        let mut costs = vec![Cost { processor: Duration::ZERO, clock: Duration::ZERO }; contestants.len()];
        for turn in 0..contestants.len() {
            let turn = (turn + round) % contestants.len();
            costs[turn] = cost(&contestants[turn].1)?;
        }
        // The first round warms up.
        if round > 0 {
            rounds.push(costs);
        }
    }

    println!("{ROUNDS} rounds: median [least..most]");
    for (index, (name, _)) in contestants.iter().enumerate() {
        let spread = spread(rounds.iter().map(|costs| costs[index].processor.as_secs_f64()).collect());
        println!("{name:<42} {spread} s of processor time");
    }
    println!();
    for (index, (name, _)) in contestants.iter().enumerate().filter(|(index, _)| *index != 1) {
        let ratio = |of: fn(&Cost) -> Duration| {
            spread(rounds.iter().map(|costs| of(&costs[1]).as_secs_f64() / of(&costs[index]).as_secs_f64()).collect())
        };
        println!("observer / {name:<42} {} (on the clock {})", ratio(|cost| cost.processor), ratio(|cost| cost.clock));
    }
    Ok(())
}

/// Runs a command to its end.
fn cost(command: &[&str]) -> io::Result<Cost> {
    let start = Instant::now();
    let child = Command::new(command[0]).args(&command[1..]).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let mut status = 0;
    // SAFETY: usage is plain numbers, for which zero bytes are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: this process's own child, not yet waited for; `status` and `usage` are locals. The usage is the child's and
    // that of all its children that it has waited for.
    let pid = unsafe { libc::wait4(child.id() as libc::pid_t, &raw mut status, 0, &raw mut usage) };
    let clock = start.elapsed();
    if pid == -1 {
        return Err(io::Error::last_os_error());
    }
    if !libc::WIFEXITED(status) || libc::WEXITSTATUS(status) != 0 {
        return Err(io::Error::other(format!("{command:?} ended with status {status:#x}")));
    }
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    Ok(Cost { processor: time(usage.ru_utime) + time(usage.ru_stime), clock })
}

fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let (least, most) = (values.first().copied().unwrap_or(f64::NAN), values.last().copied().unwrap_or(f64::NAN));
    let median = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
    format!("{median:.3} [{least:.3}..{most:.3}]")
}
