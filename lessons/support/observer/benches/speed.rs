//! How dear it is to be observed: `cargo bench -p observer`.
//!
//! A child makes 20,000 send and recv pairs on a socketpair and 80,000 calls of no interest. It runs on its own, under the
//! observer, and under `strace` without and with its seccomp filter; each prints every line, to `/dev/null`. What is compared
//! is processor time, user and system, of the tracer and the child together: it is far steadier than time on the clock.
//! They take turns, and each ratio is between two runs of the same round.
//!
//! The observer keeps itself and the child on one processor, and `strace` does not. So the faster of the two `strace` runs
//! once more on one processor: that ratio is what is left when that advantage is taken away.

use std::io;
use std::mem;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 9;

/// Who takes part.
struct Contestant<'a> {
    name: &'a str,
    command: Vec<&'a str>,
    /// Whether it and its children are kept on one processor from outside.
    one_processor: bool,
}

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
    let mut contestants: Vec<Contestant> = vec![
        Contestant { name: "untraced", command: vec![child, "work"], one_processor: false },
        Contestant { name: "observer", command: vec![child, "observe", child, "work"], one_processor: false },
    ];
    match strace {
        Some(strace) => {
            let network = ["-f", "-e", "trace=network", "-o", "/dev/null", child, "work"];
            let filtered = [&["--seccomp-bpf"], &network[..]].concat();
            for (name, args, one_processor) in [
                ("strace -f -e trace=network", &network[..], false),
                ("strace --seccomp-bpf -f -e trace=network", &filtered[..], false),
                ("the same, on one processor", &filtered[..], true),
            ] {
                contestants.push(Contestant { name, command: [&[strace], args].concat(), one_processor });
            }
        }
        None => println!("strace is not installed: the observer is compared with an untraced run only"),
    }

    let mut rounds: Vec<Vec<Cost>> = Vec::new();
    for round in 0..=ROUNDS {
        let mut costs = vec![Cost { processor: Duration::ZERO, clock: Duration::ZERO }; contestants.len()];
        for turn in 0..contestants.len() {
            let turn = (turn + round) % contestants.len();
            costs[turn] = cost(&contestants[turn])?;
        }
        // The first round warms up.
        if round > 0 {
            rounds.push(costs);
        }
    }

    println!("{ROUNDS} rounds: median [least..most]");
    for (index, Contestant { name, .. }) in contestants.iter().enumerate() {
        let spread = spread(rounds.iter().map(|costs| costs[index].processor.as_secs_f64()).collect());
        println!("{name:<42} {spread} s of processor time");
    }
    println!();
    for (index, Contestant { name, .. }) in contestants.iter().enumerate().filter(|(index, _)| *index != 1) {
        let ratio = |of: fn(&Cost) -> Duration| {
            spread(rounds.iter().map(|costs| of(&costs[1]).as_secs_f64() / of(&costs[index]).as_secs_f64()).collect())
        };
        println!("observer / {name:<42} {} (on the clock {})", ratio(|cost| cost.processor), ratio(|cost| cost.clock));
    }
    Ok(())
}

/// Runs a contestant to its end.
fn cost(contestant: &Contestant) -> io::Result<Cost> {
    let mut command = Command::new(contestant.command[0]);
    command.args(&contestant.command[1..]).stdin(Stdio::null()).stdout(Stdio::null());
    if contestant.one_processor {
        // SAFETY: the closure makes system calls only, on locals of its own.
        unsafe { command.pre_exec(stay_on_this_processor) };
    }
    let start = Instant::now();
    let child = command.spawn()?;
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
        return Err(io::Error::other(format!("{:?} ended with status {status:#x}", contestant.command)));
    }
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    Ok(Cost { processor: time(usage.ru_utime) + time(usage.ru_stime), clock })
}

/// Keeps the calling thread, and what it starts, on the processor that it runs on.
fn stay_on_this_processor() -> io::Result<()> {
    // SAFETY: a set is plain bits, for which zero bytes are valid; the number is a processor of this machine; the set is
    // whole and outlives the call.
    let result = unsafe {
        let mut one: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(usize::try_from(libc::sched_getcpu()).unwrap_or(0), &mut one);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const one)
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let (least, most) = (values.first().copied().unwrap_or(f64::NAN), values.last().copied().unwrap_or(f64::NAN));
    let median = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
    format!("{median:.3} [{least:.3}..{most:.3}]")
}
