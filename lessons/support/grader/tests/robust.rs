//! Functions that do what no function should: each gets a clear verdict in bounded time, and nothing else comes to harm.
//!
//! A tiny exercise with one check stands for all: "it returns 7". This is its own harness, because a test program that uses
//! the grader starts itself again to play.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use grader::{Bench, Descriptors, Fault, Stage, Suite, Verdict, peers};
use libtest_mimic::{Arguments, Failed, Trial};

/// What the function of the exercise returns: a number, and perhaps a descriptor.
#[derive(Debug)]
struct Answer(u32, Option<OwnedFd>);

impl Descriptors for Answer {
    fn descriptors(&self) -> Vec<i32> {
        self.1.descriptors()
    }
}

const SHEET: &str = r##"
    [[exercise]]
    id = "robust/seven"
    title = "Seven"
    stars = 1
    signature = "pub fn robust_seven() -> Answer"
    task = "Return 7."
    hints = ["7", "7", "7"]
    read = "bind.md#the-call"
    [[exercise.check]]
    name = "is_seven"
    asks = "the number is 7"
    message = "You returned {number}."
    why = "Seven it is."
"##;

fn suite(mischief: &Mischief) -> Suite<fn() -> Answer> {
    let mut suite = Suite::new(SHEET, mischief.function).expect("the sheet is good").named(mischief.name);
    let judge = if mischief.hangs() { is_seven_soon } else { is_seven };
    suite.check("robust/seven", "is_seven", play, judge);
    suite
}

fn play(function: &fn() -> Answer, stage: &mut Stage, _: ()) -> u32 {
    stage.call("robust_seven()", function).0
}

fn is_seven(bench: &Bench<(), u32>) -> Result<(), Fault> {
    is_seven_within(DEADLINE, bench)
}

fn is_seven_soon(bench: &Bench<(), u32>) -> Result<(), Fault> {
    is_seven_within(HANGS, bench)
}

fn is_seven_within(deadline: Duration, bench: &Bench<(), u32>) -> Result<(), Fault> {
    let run = bench.setting()?.deadline(deadline).play(())?;
    match run.answer()? {
        7 => Ok(()),
        number => Err(run.reject().with("number", number).into()),
    }
}

/// Long enough for what ends by itself, however busy the machine is.
const DEADLINE: Duration = Duration::from_secs(10);
/// Long enough for what never ends to get there.
const HANGS: Duration = Duration::from_secs(2);

/// What a verdict has to be.
enum Wanted {
    Passed,
    /// Rejected, with these words in the message.
    Says(&'static str),
    /// Waits for this check.
    WaitsFor(&'static str),
    /// One line with these words.
    Line(&'static str),
}
use Wanted::{Line, Passed, Says, WaitsFor};

struct Mischief {
    name: &'static str,
    function: fn() -> Answer,
    /// is_seven, survives, finishes_in_time, leaves_no_fd_behind, stays_on_loopback
    wanted: [Wanted; 5],
}

impl Mischief {
    fn hangs(&self) -> bool {
        matches!(self.wanted[2], Says(_))
    }
}

const CHECKS: [&str; 5] = ["is_seven", "survives", "finishes_in_time", "leaves_no_fd_behind", "stays_on_loopback"];

const fn mischief(name: &'static str, function: fn() -> Answer, wanted: [Wanted; 5]) -> Mischief {
    Mischief { name, function, wanted }
}

/// It died: nothing but `survives` has anything to say.
const fn dies(words: &'static str) -> [Wanted; 5] {
    [WaitsFor("survives"), Says(words), Passed, WaitsFor("survives"), Passed]
}

/// It panicked, which leaves the program alive to look for descriptors.
const fn unwinds(words: &'static str) -> [Wanted; 5] {
    [WaitsFor("survives"), Says(words), Passed, Passed, Passed]
}

/// It returned 7, and yet did not come back as it should.
const fn returns_but(words: &'static str) -> [Wanted; 5] {
    [Passed, Says(words), Passed, Passed, Passed]
}

const fn hangs(words: &'static str) -> [Wanted; 5] {
    [WaitsFor("finishes_in_time"), WaitsFor("finishes_in_time"), Says(words), WaitsFor("finishes_in_time"), Passed]
}

const fn touches(words: &'static str) -> [Wanted; 5] {
    [Passed, Passed, Passed, Says(words), Passed]
}

const fn leaves_home(words: &'static str) -> [Wanted; 5] {
    [Passed, Passed, Passed, Passed, Says(words)]
}

const fn line(words: &'static str) -> [Wanted; 5] {
    [Line(words), Line(words), Line(words), Line(words), Line(words)]
}

const HARMLESS: [Wanted; 5] = [Passed, Passed, Passed, Passed, Passed];

const ALL: &[Mischief] = &[
    // Those that hang come first, so that the others are done meanwhile.
    mischief(
        "sleeps_for_ever",
        sleeps_for_ever,
        hangs("asleep or going in circles, and had asked the kernel for no socket"),
    ),
    mischief("goes_in_circles", goes_in_circles, hangs("asleep or going in circles")),
    mischief("waits_for_nobody", waits_for_nobody, hangs("it waited in accept4")),
    mischief("stops_itself", stops_itself, hangs("SIGSTOP had stopped it")),
    mischief("waits_for_its_child", waits_for_its_child, hangs("asleep or going in circles")),
    mischief("returns_seven", returns_seven, HARMLESS),
    mischief("returns_eight", returns_eight, [Says("You returned 8."), Passed, Passed, Passed, Passed]),
    mischief(
        "is_not_started",
        is_not_started,
        line("robust/seven: not started yet. Write robust_seven in lessons/robust/src/exercises.rs"),
    ),
    mischief(
        "is_not_finished",
        is_not_finished,
        line(
            "robust/seven: not finished yet. robust_seven comes to a todo!() at lessons/support/grader/tests/robust.rs:",
        ),
    ),
    mischief("panics", panics, unwinds("it panicked at lessons/support/grader/tests/robust.rs:")),
    mischief("panics_with_a_number", panics_with_a_number, unwinds("(no message)")),
    mischief("aborts", aborts, dies("SIGABRT killed the program")),
    mischief("reads_address_zero", reads_address_zero, dies("SIGSEGV killed the program")),
    mischief("drops_a_closed_descriptor", drops_a_closed_descriptor, dies("SIGABRT killed the program")),
    mischief("exits_with_0", exits_with_0, dies("it ended the whole program, with exit status 0")),
    mischief("exits_with_1", exits_with_1, dies("it ended the whole program, with exit status 1 (it printed: fatal)")),
    mischief("writes_to_nobody", writes_to_nobody, dies("SIGPIPE killed the program")),
    mischief("allocates_without_end", allocates_without_end, dies("memory allocation of")),
    mischief("prints_megabytes", prints_megabytes, HARMLESS),
    mischief("prints_without_end", prints_without_end, dies("SIGXFSZ killed the program: it wrote more than 16 MiB")),
    mischief("prints_rubbish", prints_rubbish, HARMLESS),
    mischief("kills_its_parent", kills_its_parent, dies("SIGSYS killed the program: it tried to send a signal")),
    mischief("kills_everybody", kills_everybody, dies("SIGSYS killed the program")),
    mischief("kills_its_parents_group", kills_its_parents_group, dies("SIGSYS killed the program")),
    mischief("kills_its_own_group", kills_its_own_group, dies("SIGKILL killed the program")),
    mischief("forks_without_end", forks_without_end, dies("more than 64 processes and threads at once")),
    mischief("returns_twice", returns_twice, returns_but("it returned twice")),
    mischief("leaves_a_child", leaves_a_child, returns_but("a process that it forked was still running")),
    mischief("leaves_a_daemon", leaves_a_daemon, returns_but("a process that it forked was still running")),
    mischief("leaves_a_zombie", leaves_a_zombie, returns_but("it did not wait for it")),
    mischief("forks_and_waits", forks_and_waits, HARMLESS),
    mischief("leaves_a_thread", leaves_a_thread, returns_but("a thread that it started was still running")),
    mischief("joins_its_threads", joins_its_threads, HARMLESS),
    mischief("goes_elsewhere", goes_elsewhere, HARMLESS),
    mischief("closes_what_is_not_its_own", closes_what_is_not_its_own, touches("descriptor 0 (")),
    mischief(
        "closes_everything_there_can_be",
        closes_everything_there_can_be,
        touches("which is not its own, was closed"),
    ),
    mischief("leaves_one_open", leaves_one_open, touches("descriptor 3 (socket:[")),
    mischief("leaves_all_open", leaves_all_open, touches("and 252 more was still open")),
    mischief(
        "returns_a_closed_descriptor",
        returns_a_closed_descriptor,
        touches("the descriptor that it returned, 3, was closed"),
    ),
    mischief("binds_the_wildcard", binds_the_wildcard, leaves_home("0.0.0.0")),
    mischief("listens_unbound", listens_unbound, leaves_home("the socket was never bound")),
    mischief("connects_elsewhere", connects_elsewhere, leaves_home("192.0.2.1")),
    mischief("sends_elsewhere", sends_elsewhere, leaves_home("192.0.2.1")),
];

fn main() -> ExitCode {
    if std::env::var_os(NO_PTRACE).is_some() {
        return without_a_tracer();
    }
    if let Some(door) = grader::stage_door() {
        let found = ALL.iter().find(|mischief| mischief.name == door.suite());
        let suite = found.map(suite);
        door.play(suite.as_ref());
    }
    let mut args = Arguments::from_args();
    // Some of them use up their time to the last moment, and all wait at the same time.
    args.test_threads.get_or_insert(16);
    let mut trials: Vec<Trial> =
        ALL.iter().map(|mischief| Trial::test(mischief.name, move || judge(mischief))).collect();
    trials.push(Trial::test("says_so_where_nothing_can_be_traced", says_so_where_nothing_can_be_traced));
    let conclusion = libtest_mimic::run(&args, trials);
    if let Err(what) = nothing_is_left() {
        eprintln!("{what}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

fn judge(mischief: &Mischief) -> Result<(), Failed> {
    let suite = suite(mischief);
    let start = Instant::now();
    let mut complaints = Vec::new();
    for (check, wanted) in CHECKS.iter().zip(&mischief.wanted) {
        let verdict = suite.verdict("robust/seven", check);
        let told = grader::tell(&suite, "robust/seven", check, &verdict, false);
        let right = match (wanted, &verdict) {
            (Passed, Verdict::Passed) => true,
            (Says(words), Verdict::Rejected { message, .. }) => message.contains(words),
            (WaitsFor(check), Verdict::Waits { on, .. }) => on == check && told.lines().count() == 1,
            (Line(words), Verdict::NotStarted { .. }) => told.starts_with(words) && told.lines().count() == 1,
            _ => false,
        };
        if !right {
            complaints.push(format!("{check}: unexpected verdict {}", if told.is_empty() { "Passed" } else { &told }));
        }
    }
    // Its own deadline, a second for what it may leave running, and plenty for a busy machine.
    if start.elapsed() > DEADLINE + Duration::from_secs(20) {
        complaints.push(format!("it took {:?}", start.elapsed()));
    }
    if complaints.is_empty() { Ok(()) } else { Err(Failed::from(complaints.join("\n"))) }
}

/// No process of ours still runs, and no directory of ours is left.
fn nothing_is_left() -> Result<(), String> {
    let ours = format!("grader-{}-", std::process::id());
    let is_ours = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(&ours);
    let directories = fs::read_dir(std::env::temp_dir()).map_err(|error| error.to_string())?;
    if let Some(left) = directories.flatten().find(|entry| is_ours(&entry.file_name())) {
        return Err(format!("{} is left", left.path().display()));
    }
    let played_by_us = |environment: &[u8]| environment.windows(ours.len()).any(|window| window == ours.as_bytes());
    peers::wait_for("the children's end", || {
        let processes = fs::read_dir("/proc")?.flatten();
        Ok(!processes
            .into_iter()
            .any(|entry| fs::read(entry.path().join("environ")).is_ok_and(|text| played_by_us(&text))))
    })
    .map_err(|error| error.to_string())
}

// Where ptrace is refused.

const NO_PTRACE: &str = "GRADER_TEST_NO_PTRACE";

/// In a process of its own: forbids ptrace, then grades, and prints what is said.
fn without_a_tracer() -> ExitCode {
    forbid_ptrace();
    let suite = suite(&mischief("returns_seven", returns_seven, HARMLESS));
    for check in CHECKS {
        let verdict = suite.verdict("robust/seven", check);
        println!("{}", grader::tell(&suite, "robust/seven", check, &verdict, false));
    }
    ExitCode::SUCCESS
}

fn says_so_where_nothing_can_be_traced() -> Result<(), Failed> {
    let seen = Command::new("/proc/self/exe").env(NO_PTRACE, "1").output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&seen.stdout);
    let right = |line: &str| line.starts_with("robust/seven: not graded: no tracer here, because ");
    if said.lines().count() == CHECKS.len() && said.lines().all(right) {
        return Ok(());
    }
    Err(Failed::from(format!("it said\n{said}\n{}", String::from_utf8_lossy(&seen.stderr))))
}

/// ptrace fails with EPERM from here on, as in a container that forbids it.
fn forbid_ptrace() {
    let step = |code: u32, k: u32, jt, jf| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::SYS_ptrace as u32, 0, 1),
        step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32, 0, 0),
        step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: `program` describes `filter`, which is valid during the call; the kernel copies it.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == -1
    };
    assert!(!refused, "a seccomp filter: {}", std::io::Error::last_os_error());
}

// What they do.

const SEVEN: Answer = Answer(7, None);

fn returns_seven() -> Answer {
    SEVEN
}

fn returns_eight() -> Answer {
    Answer(8, None)
}

fn is_not_started() -> Answer {
    todo!()
}

fn is_not_finished() -> Answer {
    let _socket = peers::tcp();
    todo!("bind it")
}

fn sleeps_for_ever() -> Answer {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

fn goes_in_circles() -> Answer {
    let _socket = peers::tcp();
    loop {
        std::hint::spin_loop();
    }
}

fn waits_for_nobody() -> Answer {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    drop(listener.accept());
    SEVEN
}

fn stops_itself() -> Answer {
    // SAFETY: raise takes a number.
    unsafe { libc::raise(libc::SIGSTOP) };
    SEVEN
}

fn panics() -> Answer {
    panic!("an answer")
}

fn panics_with_a_number() -> Answer {
    std::panic::panic_any(7)
}

fn aborts() -> Answer {
    std::process::abort()
}

fn reads_address_zero() -> Answer {
    // SAFETY: wrong, and this is the point: there is no memory at address 1.
    unsafe { libc::memset(std::ptr::without_provenance_mut(1), 0, 1) };
    SEVEN
}

fn drops_a_closed_descriptor() -> Answer {
    let socket = peers::tcp().expect("a socket");
    // SAFETY: wrong, and this is the point: the standard library notices in a debug build that its descriptor is gone.
    unsafe { libc::close(socket.as_raw_fd()) };
    drop(socket);
    // In a release build it does not notice.
    std::process::abort()
}

fn exits_with_0() -> Answer {
    std::process::exit(0)
}

fn exits_with_1() -> Answer {
    eprintln!("fatal");
    std::process::exit(1)
}

fn writes_to_nobody() -> Answer {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    drop(theirs);
    // The standard library's own write asks not to be killed (MSG_NOSIGNAL).
    // SAFETY: the pointer is to four bytes.
    unsafe { libc::write(ours.as_raw_fd(), b"dead".as_ptr().cast(), 4) };
    SEVEN
}

fn allocates_without_end() -> Answer {
    let mut all = Vec::new();
    loop {
        // Not written to: the limit is on what is asked for, and to fill it all takes long on a busy machine.
        all.push(Vec::<u8>::with_capacity(64 << 20));
    }
}

fn prints_megabytes() -> Answer {
    let line = "x".repeat(1023);
    for _ in 0..5 * 1024 {
        println!("{line}");
    }
    SEVEN
}

fn prints_without_end() -> Answer {
    let line = "x".repeat(65535);
    loop {
        println!("{line}");
    }
}

fn prints_rubbish() -> Answer {
    let mut out = std::io::stdout();
    drop(out.write_all(b"test robust ... ok\n{\"out\":8}\n\x1b[2J\x00\xff\xfe\n#end\n"));
    drop(out.flush());
    SEVEN
}

fn kills_its_parent() -> Answer {
    // SAFETY: these take and return numbers.
    unsafe { libc::kill(libc::getppid(), libc::SIGKILL) };
    SEVEN
}

fn kills_everybody() -> Answer {
    // What follows a fork that failed and was not looked at. Signal 0 kills nobody, should the shield not hold.
    // SAFETY: kill takes two numbers.
    unsafe { libc::kill(-1, 0) };
    SEVEN
}

fn kills_its_parents_group() -> Answer {
    // SAFETY: these take and return numbers. Signal 0 kills nobody, should the shield not hold.
    unsafe { libc::kill(-libc::getpgid(libc::getppid()), 0) };
    SEVEN
}

fn kills_its_own_group() -> Answer {
    // SAFETY: these take and return numbers. Only where this process leads a group of its own.
    unsafe {
        assert_eq!(libc::getpgrp(), libc::getpid(), "the child should lead its own process group");
        libc::kill(0, libc::SIGKILL);
    }
    SEVEN
}

fn fork() -> libc::pid_t {
    // SAFETY: this process has one thread, so its copy may go on as it likes.
    unsafe { libc::fork() }
}

/// Ends a forked process.
fn leave() -> ! {
    // SAFETY: _exit touches no memory.
    unsafe { libc::_exit(0) }
}

fn forks_without_end() -> Answer {
    loop {
        fork();
    }
}

fn returns_twice() -> Answer {
    fork();
    SEVEN
}

fn leaves_a_child() -> Answer {
    if fork() == 0 {
        sleeps_for_ever();
    }
    SEVEN
}

fn leaves_a_daemon() -> Answer {
    match fork() {
        0 => {
            // SAFETY: setsid takes nothing.
            unsafe { libc::setsid() };
            if fork() == 0 {
                sleeps_for_ever();
            }
            leave()
        }
        child => {
            // SAFETY: waitpid takes two numbers and a pointer that may be null.
            unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
            SEVEN
        }
    }
}

fn leaves_a_zombie() -> Answer {
    if fork() == 0 {
        leave();
    }
    SEVEN
}

fn waits_for_its_child() -> Answer {
    match fork() {
        0 => sleeps_for_ever(),
        child => {
            // SAFETY: waitpid takes two numbers and a pointer that may be null.
            unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
            SEVEN
        }
    }
}

fn forks_and_waits() -> Answer {
    match fork() {
        0 => leave(),
        child => {
            // SAFETY: waitpid takes two numbers and a pointer that may be null.
            unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
            SEVEN
        }
    }
}

fn leaves_a_thread() -> Answer {
    thread::spawn(sleeps_for_ever);
    SEVEN
}

fn joins_its_threads() -> Answer {
    let threads: Vec<_> = (0..8).map(|_| thread::spawn(peers::tcp)).collect();
    for thread in threads {
        drop(thread.join());
    }
    SEVEN
}

fn goes_elsewhere() -> Answer {
    std::env::set_current_dir("/").expect("the root");
    SEVEN
}

fn closes_what_is_not_its_own() -> Answer {
    for descriptor in 0..100 {
        // SAFETY: wrong, and this is the point.
        unsafe { libc::close(descriptor) };
    }
    SEVEN
}

fn closes_everything_there_can_be() -> Answer {
    // SAFETY: wrong, and this is the point.
    unsafe { libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) };
    SEVEN
}

fn leaves_one_open() -> Answer {
    std::mem::forget(peers::tcp());
    SEVEN
}

fn leaves_all_open() -> Answer {
    while let Ok(socket) = peers::tcp() {
        std::mem::forget(socket);
    }
    SEVEN
}

fn returns_a_closed_descriptor() -> Answer {
    let number = peers::tcp().expect("a socket").into_raw_fd();
    // SAFETY: wrong, and this is the point: what is returned is closed.
    unsafe {
        libc::close(number);
        Answer(7, Some(OwnedFd::from_raw_fd(number)))
    }
}

fn binds_the_wildcard() -> Answer {
    drop(peers::bound(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)));
    SEVEN
}

fn listens_unbound() -> Answer {
    let socket = peers::tcp().expect("a socket");
    let _ = nix::sys::socket::listen(&socket, nix::sys::socket::Backlog::MAXCONN);
    SEVEN
}

fn connects_elsewhere() -> Answer {
    // 192.0.2.0/24 is for documentation, and nobody lives there.
    drop(std::net::TcpStream::connect((Ipv4Addr::new(192, 0, 2, 1), 9)));
    SEVEN
}

fn sends_elsewhere() -> Answer {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    drop(socket.send_to(b"hello", (Ipv4Addr::new(192, 0, 2, 1), 9)));
    SEVEN
}
