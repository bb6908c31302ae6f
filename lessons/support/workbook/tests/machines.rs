//! The book must be true on every machine that it supports. Here one machine plays several: with another user, with IPv6
//! switched off, with other settings of the network, with private networks or tracing forbidden, and so on. On each, every
//! experiment must have one of its right outcomes (and, where it is listed here, this one), and where that is the recorded
//! outcome, the recording must fit. On some of them the atlas is played, too.
//!
//! What cannot be played here is listed as ignored, with the reason: only a `main` of its own can do that.

mod common;

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::mem::{offset_of, size_of};
use std::num::NonZero;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::ptr;
use std::sync::OnceLock;

use common::{become_nobody, checked};
use libtest_mimic::{Arguments, Failed, Trial};

use Step::{BecomeNobody, Deaf, FewDescriptors, LeftOpen, NoNamespaces, NoTracing, OwnNetwork, OwnUsers, Set};

/// A machine, by how it differs from this one.
struct Machine {
    name: &'static str,
    steps: Vec<Step>,
    /// The experiments that must have another outcome than the recorded one, each with where it says that it has.
    differ: &'static [(&'static str, &'static str)],
    /// Whether the atlas is played on it, too. (Another test plays it on this machine as it is, and as nobody.)
    atlas: bool,
}

fn machine(name: &'static str, steps: &[Step], differ: &'static [(&'static str, &'static str)]) -> Machine {
    Machine { name, steps: steps.to_vec(), differ, atlas: false }
}

/// A machine that differs in something other than the network. Where that takes no change of user it has a network of its
/// own nevertheless, so that many can be played at a time: an experiment that gives a port back and binds it again must
/// not find that the same experiment on another machine has taken it.
fn apart(name: &'static str, steps: &[Step], differ: &'static [(&'static str, &'static str)]) -> Machine {
    let network: &[Step] = if am_root() { &[OwnNetwork] } else { &[] };
    Machine { name, steps: [network, steps].concat(), differ, atlas: false }
}

/// A machine with a network of its own, where this is set.
fn network(
    name: &'static str,
    settings: &[(&'static str, &'static str)],
    differ: &'static [(&'static str, &'static str)],
) -> Machine {
    let mut steps = if am_root() { vec![OwnNetwork] } else { vec![OwnUsers, OwnNetwork] };
    steps.extend(settings.iter().map(|(path, value)| Set(path, value)));
    Machine { name, steps, differ, atlas: false }
}

impl Machine {
    /// The same machine, on which the atlas is played, too.
    fn with_atlas(mut self) -> Machine {
        self.atlas = true;
        self
    }

    /// The same machine, with one more difference.
    fn and(mut self, name: &'static str, step: Step) -> Machine {
        self.name = name;
        self.steps.push(step);
        self
    }
}

/// All that are played.
fn machines() -> Vec<Machine> {
    const NO_NETWORKS: &[(&str, &str)] = &[
        ("bind/full-range", "private networks are forbidden"),
        ("bind/wildcard", "private networks are forbidden"),
        ("bind/wildcard-ipv6", "private networks are forbidden"),
    ];
    const NO_IPV6: &[(&str, &str)] = &[("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1")];
    const NO_IPV6_DIFFERS: &[(&str, &str)] = &[("bind/not-in-the-way", "IPv6 is switched off")];
    vec![
        machine("as it is", &[], &[]),
        machine("nobody", &[BecomeNobody], &[]),
        machine(
            "root of one user",
            &[OwnUsers],
            &[("bind/below-1024", "may not become another user"), ("socket/privileges", "may not become another user")],
        )
        .with_atlas(),
        apart("no namespaces", &[NoNamespaces], NO_NETWORKS),
        apart("nobody, no namespaces", &[BecomeNobody, NoNamespaces], NO_NETWORKS).with_atlas(),
        apart("no tracing", &[NoTracing], &[]).with_atlas(),
        apart("descriptors left open", &[LeftOpen], &[]),
        apart("signals ignored and blocked", &[Deaf], &[]),
        apart("512 descriptors", &[FewDescriptors], &[]),
        network("a private network", &[], &[]),
        network("no IPv6", NO_IPV6, NO_IPV6_DIFFERS).with_atlas(),
        network("", NO_IPV6, NO_IPV6_DIFFERS).and("nobody, no IPv6", BecomeNobody),
        network("IPv6 by itself", &[("/proc/sys/net/ipv6/bindv6only", "1")], &[]),
        network(
            "all ports free for all",
            &[("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0")],
            &[("bind/below-1024", "ports below 1024 are free for all")],
        ),
        network(
            "ports free for all from 500 on",
            &[("/proc/sys/net/ipv4/ip_unprivileged_port_start", "500")],
            &[("bind/below-1024", "from a number between 80 and 1023")],
        ),
        network(
            "more ports kept for the privileged",
            &[("/proc/sys/net/ipv4/ip_unprivileged_port_start", "2000")],
            &[("bind/below-1024", "ports above 1024 are kept")],
        ),
        network(
            "strange addresses may be bound",
            &[("/proc/sys/net/ipv4/ip_nonlocal_bind", "1")],
            &[("bind/not-local", "ip_nonlocal_bind")],
        ),
        network(
            "an odd range of ports",
            &[("/proc/sys/net/ipv4/ip_local_port_range", "32769 60998")],
            &[("bind/ephemeral-ports", "starts with an odd number")],
        ),
        network("few ports", &[("/proc/sys/net/ipv4/ip_local_port_range", "20000 20999")], &[]),
        network("many ports", &[("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535")], &[]),
        network("short queues", &[("/proc/sys/net/core/somaxconn", "128")], &[]),
        network("TIME_WAIT is used again", &[("/proc/sys/net/ipv4/tcp_tw_reuse", "1")], &[]),
        network("TIME_WAIT is not used again", &[("/proc/sys/net/ipv4/tcp_tw_reuse", "0")], &[]),
        network("no timestamps", &[("/proc/sys/net/ipv4/tcp_timestamps", "0")], &[]),
        network("short endings", &[("/proc/sys/net/ipv4/tcp_fin_timeout", "5")], &[]),
        network("ports are shared freely", &[("/proc/sys/net/ipv4/ip_autobind_reuse", "1")], &[]),
        network("a full queue resets", &[("/proc/sys/net/ipv4/tcp_abort_on_overflow", "1")], &[]),
        network(
            "no Multipath TCP",
            &[("/proc/sys/net/mptcp/enabled", "0")],
            &[("socket/another-protocol", "net.mptcp.enabled is 0")],
        ),
        network(
            "everybody may ping",
            &[("/proc/sys/net/ipv4/ping_group_range", "0 2147483647")],
            &[("socket/privileges", "lets this group ping")],
        ),
        network("no SYN cookies", &[("/proc/sys/net/ipv4/tcp_syncookies", "0")], &[]),
    ]
}

fn main() -> ExitCode {
    // Most of the time is spent waiting: several machines for each processor are played at a time.
    const FOR_EACH_PROCESSOR: usize = 8;
    let mut arguments = Arguments::from_args();
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    arguments.test_threads.get_or_insert(processors * FOR_EACH_PROCESSOR);
    let trials = machines().into_iter().map(|machine| match Command::new("/bin/true").on(&machine).status() {
        Ok(_) => Trial::test(machine.name, move || check(&machine)),
        Err(error) => {
            Trial::test(format!("{} (cannot be played here: {error})", machine.name), || Ok(())).with_ignored_flag(true)
        }
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Checks the recordings on such a machine.
fn check(machine: &Machine) -> Result<(), Failed> {
    let stage = Stage::get();
    let mut command = Command::new(stage.path("workbook"));
    let rule = if machine.atlas { "recordings" } else { "stories" };
    command.args(["check", "--only", rule, "--programs"]).arg(stage.path("programs"));
    command.arg("--root").arg(stage.path("project")).env("TMPDIR", stage.path("scratch")).stdin(Stdio::null());
    let output = command.current_dir(stage.path("scratch")).on(machine).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{}\n{said}", output.status).into());
    }
    for (experiment, words) in machine.differ {
        let begin = format!("note: {experiment}: ");
        if !said.lines().any(|line| line.starts_with(&begin) && line.contains(words)) {
            return Err(format!("{experiment} does not say that it met such a machine ({words}):\n{said}").into());
        }
    }
    let untraced = said.contains("of these only the texts were compared");
    if untraced != machine.steps.iter().any(|step| matches!(step, NoTracing)) && may_trace() {
        return Err(format!("the runs were {}traced:\n{said}", if untraced { "not " } else { "" }).into());
    }
    Ok(())
}

/// Whether this machine, as it is, lets lessons be traced.
fn may_trace() -> bool {
    let observer = observer::Observer::new("/bin/true").capture();
    !matches!(observer.run(), Err(observer::Error::Refused { .. }))
}

/// A command on another machine.
trait On {
    /// The command will run on this machine.
    fn on(&mut self, machine: &Machine) -> &mut Command;
}

impl On for Command {
    fn on(&mut self, machine: &Machine) -> &mut Command {
        let steps: Vec<Prepared> = machine.steps.iter().map(|step| Prepared::new(*step)).collect();
        // SAFETY: between fork and exec only system calls are made, and no memory is allocated: all that they need was
        // prepared above.
        unsafe { self.pre_exec(move || steps.iter().try_for_each(Prepared::take)) }
    }
}

/// One way in which a machine can be different.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Become an ordinary user.
    BecomeNobody,
    /// Become the root of a user namespace that has one user.
    OwnUsers,
    /// A network of one's own, with nothing but a loopback interface. (Needs `OwnUsers` first where one is not root.)
    OwnNetwork,
    /// Write a setting of the kernel.
    Set(&'static str, &'static str),
    /// What containers forbid: to make namespaces.
    NoNamespaces,
    /// What some containers forbid: to trace.
    NoTracing,
    /// A descriptor that whoever started the program has left open.
    LeftOpen,
    /// Signals ignored and blocked by whoever started the program.
    Deaf,
    /// Few descriptors.
    FewDescriptors,
}

/// Where everything lies that a run needs, readable for everybody.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    /// The stage, set up once and for all: before the first run starts, so that no program is still open for writing in a
    /// process that is just being started.
    fn get() -> &'static Stage {
        static STAGE: OnceLock<Stage> = OnceLock::new();
        STAGE.get_or_init(|| Stage::set_up().expect("the stage can be set up"))
    }

    fn set_up() -> io::Result<Stage> {
        let project = common::this_project();
        let folder = tempfile::tempdir()?;
        let stage = Stage { folder };
        for name in ["programs", "project/lessons", "scratch"] {
            fs::create_dir_all(stage.path(name))?;
        }
        for program in common::lessons() {
            fs::copy(program.path(), stage.path("programs").join(format!("lesson-{}", program.lesson)))?;
        }
        fs::copy(env!("CARGO_BIN_EXE_workbook"), stage.path("workbook"))?;
        fs::copy(project.root().join("book.toml"), stage.path("project/book.toml"))?;
        copy(&project.book(), &stage.path("project/book"))?;
        fs::set_permissions(stage.folder.path(), fs::Permissions::from_mode(0o755))?;
        fs::set_permissions(stage.path("scratch"), fs::Permissions::from_mode(0o1777))?;
        Ok(stage)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

fn am_root() -> bool {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// A step with all that it needs at hand: no memory may be allocated when it is taken.
enum Prepared {
    Plain(Step),
    Users { map: Vec<u8> },
    Filter(Vec<libc::sock_filter>),
    Setting { path: CString, value: &'static str },
}

impl Prepared {
    fn new(step: Step) -> Prepared {
        match step {
            // SAFETY: geteuid takes nothing and cannot fail.
            OwnUsers => Prepared::Users { map: format!("0 {} 1", unsafe { libc::geteuid() }).into_bytes() },
            NoNamespaces => Prepared::Filter(no_namespaces()),
            NoTracing => Prepared::Filter(no_tracing()),
            Set(path, value) => Prepared::Setting { path: CString::new(path).expect("a path has no zero byte"), value },
            other => Prepared::Plain(other),
        }
    }

    fn take(&self) -> io::Result<()> {
        match self {
            Prepared::Plain(BecomeNobody) => become_nobody(),
            Prepared::Plain(OwnNetwork) => common::own_network(),
            Prepared::Plain(LeftOpen) => leave_open(),
            Prepared::Plain(Deaf) => go_deaf(),
            Prepared::Plain(FewDescriptors) => few_descriptors(),
            Prepared::Plain(_) => Err(io::Error::from_raw_os_error(libc::ENOSYS)),
            Prepared::Users { map } => own_users(map),
            Prepared::Filter(program) => install(program),
            Prepared::Setting { path, value } => write_file(path, value.as_bytes()),
        }
    }
}

fn own_users(map: &[u8]) -> io::Result<()> {
    // SAFETY: unshare takes a number.
    checked(unsafe { libc::unshare(libc::CLONE_NEWUSER) })?;
    write_file(c"/proc/self/setgroups", b"deny")?;
    write_file(c"/proc/self/uid_map", map)?;
    write_file(c"/proc/self/gid_map", map)
}

fn write_file(path: &CStr, text: &[u8]) -> io::Result<()> {
    // SAFETY: the path ends in a zero byte.
    let file = checked(unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) })?;
    // SAFETY: the file has just been opened, and nobody else knows it.
    let file = unsafe { OwnedFd::from_raw_fd(file) };
    // SAFETY: the text is valid for its length.
    let written = unsafe { libc::write(file.as_raw_fd(), text.as_ptr().cast(), text.len()) };
    match written {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Leaves 3 to 12 open for the program that is started, as many a terminal, editor and script does with some.
fn leave_open() -> io::Result<()> {
    for descriptor in 3..=12 {
        // SAFETY: an all-zero stat is valid, and fstat writes into it; fcntl and dup2 take numbers.
        unsafe {
            let mut about: libc::stat = std::mem::zeroed();
            if libc::fstat(descriptor, &raw mut about) == -1 {
                checked(libc::dup2(0, descriptor))?;
                continue;
            }
            // One pipe or socket belongs to the standard library, which learns from its closing that exec worked.
            if !matches!(about.st_mode & libc::S_IFMT, libc::S_IFIFO | libc::S_IFSOCK) {
                checked(libc::fcntl(descriptor, libc::F_SETFD, 0))?;
            }
        }
    }
    Ok(())
}

fn go_deaf() -> io::Result<()> {
    // SAFETY: the set is filled before it is used, and the signals are only ignored: no handler is involved.
    unsafe {
        for signal in [libc::SIGCHLD, libc::SIGPIPE, libc::SIGHUP, libc::SIGALRM, libc::SIGUSR1] {
            if libc::signal(signal, libc::SIG_IGN) == libc::SIG_ERR {
                return Err(io::Error::last_os_error());
            }
        }
        let mut all: libc::sigset_t = std::mem::zeroed();
        checked(libc::sigfillset(&raw mut all))?;
        checked(libc::sigprocmask(libc::SIG_BLOCK, &raw const all, ptr::null_mut()))?;
    }
    Ok(())
}

fn few_descriptors() -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: 512, rlim_max: 512 };
    // SAFETY: the limit lives through the call.
    checked(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(())
}

/// Installs a filter of system calls for this process and all that it starts.
fn install(program: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog { len: program.len() as libc::c_ushort, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel reads the filter, which lives through the call, and writes nothing.
    unsafe {
        checked(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        checked(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program))?;
    }
    Ok(())
}

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

fn deny(errno: libc::c_int) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno as u32
}

fn statement(code: u32, value: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k: value }
}

/// If the loaded value is this one, answers so; else goes on.
fn answer_if(number: libc::c_long, answer: u32) -> [libc::sock_filter; 2] {
    let jump = libc::sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
        jt: 0,
        jf: 1,
        k: number as u32,
    };
    [jump, statement(libc::BPF_RET | libc::BPF_K, answer)]
}

fn load(offset: usize) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset as u32)
}

fn no_tracing() -> Vec<libc::sock_filter> {
    let mut program = vec![load(offset_of!(libc::seccomp_data, nr))];
    program.extend(answer_if(libc::SYS_ptrace, deny(libc::EPERM)));
    program.push(statement(libc::BPF_RET | libc::BPF_K, ALLOW));
    program
}

/// What the usual containers' filter does: no unshare, no setns, no clone with a new namespace, and no clone3, whose
/// flags a filter cannot see.
fn no_namespaces() -> Vec<libc::sock_filter> {
    const NAMESPACES: libc::c_int = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP;
    let low_half = if cfg!(target_endian = "little") { 0 } else { size_of::<u32>() };
    let mut program = vec![load(offset_of!(libc::seccomp_data, nr))];
    program.extend(answer_if(libc::SYS_unshare, deny(libc::EPERM)));
    program.extend(answer_if(libc::SYS_setns, deny(libc::EPERM)));
    program.extend(answer_if(libc::SYS_clone3, deny(libc::ENOSYS)));
    // Any other call but clone is allowed: over the three that follow.
    let is_clone = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    program.push(libc::sock_filter { code: is_clone, jt: 0, jf: 3, k: libc::SYS_clone as u32 });
    program.push(load(offset_of!(libc::seccomp_data, args) + low_half));
    let has_flag = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
    program.push(libc::sock_filter { code: has_flag, jt: 0, jf: 1, k: NAMESPACES as u32 });
    program.push(statement(libc::BPF_RET | libc::BPF_K, deny(libc::EPERM)));
    program.push(statement(libc::BPF_RET | libc::BPF_K, ALLOW));
    program
}
