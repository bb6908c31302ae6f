//! Every errno that send, sendto and sendmsg can give, each provoked on its own: this chapter's part of the atlas.
//!
//! `cargo run -p lesson-send -- EPIPE` plays those that give this errno, `-- name` the one of this name. The list is here;
//! the functions are in the files beside it, in the same order:
//!
//! - `descriptors`: what is handed over is wrong, the descriptor or a pointer
//! - `connections`: TCP
//! - `fast_open`: TCP, to connect and to send in one call
//! - `datagrams`: UDP
//! - `unix`: between programs of one machine
//! - `network`: routes, links, a packet filter
//! - `icmp`: what routers say of an earlier datagram
//!
//! and what they have in common in `means`.

mod connections;
mod datagrams;
mod descriptors;
mod fast_open;
mod icmp;
mod means;
mod network;
mod unix;

use lab::{Lack, Provocation, Way};

/// The calls that send to the socket's peer.
const ALL: &[&str] = &["send", "sendto", "sendmsg"];

/// Those that have room for an address.
const WITH_ADDRESS: &[&str] = &["sendto", "sendmsg"];

pub static ERRNOS: &[Provocation] = &[
    Provocation {
        name: "no-descriptor",
        errno: "EBADF",
        calls: ALL,
        cause: "The number is not that of an open descriptor.",
        cure: "Look for what came before: the socket was closed already, or socket failed and its -1 was passed on.",
        documented: &["send(2)", "POSIX"],
        play: descriptors::no_descriptor,
        ..Provocation::USUAL
    },
    Provocation {
        name: "only-a-path",
        errno: "EBADF",
        calls: ALL,
        cause: "The descriptor was opened with O_PATH: it names a file, and nothing is open behind it.",
        cure: "Use a descriptor that socket made. (It is EBADF and not ENOTSOCK, since no open file can be asked \
               what it is.)",
        documented: &[],
        play: descriptors::only_a_path,
        ..Provocation::USUAL
    },
    Provocation {
        name: "passes-no-descriptor",
        errno: "EBADF",
        calls: &["sendmsg"],
        cause: "The socket is good, but the message is to carry a descriptor along (SCM_RIGHTS), and that number is \
                not open.",
        cure: "Look at the numbers in the control message, too. Keep a descriptor open until sendmsg has returned; \
               then it may be closed.",
        documented: &["unix(7)"],
        play: unix::passes_no_descriptor,
        ..Provocation::USUAL
    },
    Provocation {
        name: "not-a-socket",
        errno: "ENOTSOCK",
        calls: ALL,
        cause: "The descriptor is open, but it is not a socket.",
        cure: "Look where the number comes from: a descriptor was closed, and its number has been given to a file \
               since. (For a file there is write.)",
        documented: &["send(2)", "POSIX"],
        play: descriptors::not_a_socket,
        ..Provocation::USUAL
    },
    Provocation {
        name: "bad-data",
        errno: "EFAULT",
        calls: ALL,
        cause: "The pointer to the bytes leads to memory that the program may not read.",
        cure: "Look at the pointer and at the length: they must belong to the same buffer, and the buffer must still \
               be there.",
        documented: &["send(2)"],
        play: descriptors::bad_data,
        ..Provocation::USUAL
    },
    Provocation {
        name: "bad-address",
        errno: "EFAULT",
        calls: WITH_ADDRESS,
        cause: "The pointer to the destination's address leads to memory that the program may not read.",
        cure: "Look at the pointer: it must lead to a socket address that lives until the call returns.",
        documented: &["send(2)"],
        play: descriptors::bad_address,
        ..Provocation::USUAL
    },
    Provocation {
        name: "bad-message",
        errno: "EFAULT",
        calls: &["sendmsg"],
        cause: "One of the pointers of a message leads nowhere: the one to the msghdr itself, the one to the list of \
                buffers, or the one to the control data.",
        cure: "Look at all the pointers that a msghdr has. What is not wanted must be null, with a length of 0: \
               begin with a msghdr of zeros.",
        documented: &["send(2)"],
        play: descriptors::bad_message,
        ..Provocation::USUAL
    },
    Provocation {
        name: "nobody-given",
        errno: "EDESTADDRREQ",
        calls: ALL,
        cause: "A UDP socket is not connected, and no address was given.",
        cure: "Give the address (sendto), or connect the socket first.",
        documented: &["send(2)", "POSIX"],
        play: datagrams::nobody_given,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unix-stream-alone",
        errno: "ENOTCONN",
        calls: ALL,
        cause: "A stream socket of the family AF_UNIX is connected to nobody.",
        cure: "Connect it first, or make both ends at once with socketpair.",
        documented: &["send(2)", "unix(7)", "POSIX"],
        remark: "For a TCP socket in the same state Linux says EPIPE: see never-connected.",
        play: unix::unix_stream_alone,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unix-datagrams-alone",
        errno: "ENOTCONN",
        calls: ALL,
        cause: "A datagram socket of the family AF_UNIX is connected to nobody, and no address was given.",
        cure: "Give the address (sendto), or connect the socket first.",
        documented: &["send(2)"],
        remark: "POSIX has EDESTADDRREQ for this, and that is what a UDP socket gets.",
        play: unix::unix_datagrams_alone,
        ..Provocation::USUAL
    },
    Provocation {
        name: "address-for-a-connection",
        errno: "EISCONN",
        calls: WITH_ADDRESS,
        cause: "An address was given to a stream socket of the family AF_UNIX that has its peer already.",
        cure: "Leave the address out: null, and a length of 0.",
        documented: &["send(2)", "unix(7)", "POSIX"],
        remark: "TCP ignores the address instead, and sends to its peer.",
        play: unix::address_for_a_connection,
        ..Provocation::USUAL
    },
    Provocation {
        name: "fast-open-when-connected",
        errno: "EISCONN",
        calls: ALL,
        cause: "MSG_FASTOPEN asks to connect and to send in one call, and the socket is connected already.",
        cure: "Set MSG_FASTOPEN in the first call only.",
        documented: &["send(2)"],
        remark: "send(2) explains EISCONN by an address that was given. Here send gives it, too, which has no \
                 address to give.",
        otherwise: fast_open::OFF_THRICE,
        play: fast_open::fast_open_when_connected,
        ..Provocation::USUAL
    },
    Provocation {
        name: "never-connected",
        errno: "EPIPE",
        calls: ALL,
        cause: "A TCP socket has never been connected.",
        cure: "Connect it first.",
        documented: &[],
        remark: "send(2) and POSIX have ENOTCONN for it. Linux says EPIPE, with SIGPIPE unless MSG_NOSIGNAL forbids \
                 it.",
        play: connections::never_connected,
        ..Provocation::USUAL
    },
    Provocation {
        name: "own-end-shut",
        errno: "EPIPE",
        calls: ALL,
        cause: "The program has said itself that nothing more will come: shutdown(SHUT_WR).",
        cure: "Send first, then shut down. MSG_NOSIGNAL keeps SIGPIPE away, and leaves the errno.",
        documented: &["send(2)"],
        play: connections::own_end_shut,
        ..Provocation::USUAL
    },
    Provocation {
        name: "own-end-shut-with-sigpipe",
        errno: "EPIPE",
        calls: ALL,
        cause: "The program has shut its own end down, and MSG_NOSIGNAL is not set: with the errno comes the signal \
                SIGPIPE, which here a handler counts.",
        cure: "Set MSG_NOSIGNAL, or ignore SIGPIPE in the whole program: where nothing is done about the signal, it \
               ends the program.",
        documented: &["send(2)", "ip(7)", "POSIX"],
        play: connections::own_end_shut_with_sigpipe,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unix-peer-closed",
        errno: "EPIPE",
        calls: ALL,
        cause: "The peer of a stream socket of the family AF_UNIX has closed its end.",
        cure: "The conversation is over: close this end, too.",
        documented: &["send(2)", "unix(7)"],
        remark: "TCP lets the first send after the peer's close pass; here both ends are known to one kernel, which \
                 says so at once.",
        play: unix::unix_peer_closed,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unix-peer-reads-no-more",
        errno: "EPIPE",
        calls: ALL,
        cause: "The peer of a datagram socket of the family AF_UNIX has said that it reads no more: \
                shutdown(SHUT_RD).",
        cure: "Send nothing more to it.",
        documented: &[],
        remark: "SIGPIPE does not come: only streams raise it.",
        play: unix::unix_peer_reads_no_more,
        ..Provocation::USUAL
    },
    Provocation {
        name: "reset-by-the-peer",
        errno: "ECONNRESET",
        calls: ALL,
        cause: "The peer has reset the connection: it closed with SO_LINGER of 0, as a program does that throws a \
                connection away.",
        cure: "The connection is dead: close the socket. What had been sent may or may not have been read.",
        documented: &["send(2)", "POSIX"],
        remark: "It is told once. The next call says EPIPE.",
        play: connections::reset_by_the_peer,
        ..Provocation::USUAL
    },
    Provocation {
        name: "destroyed",
        errno: "ECONNABORTED",
        calls: ALL,
        cause: "The machine's own administrator has ended the connection from outside (`ss -K`, the kernel's \
                SOCK_DESTROY).",
        cure: "The connection is dead: close the socket, and connect anew if that is wanted.",
        documented: &[],
        needs: &[Lack::Namespaces, Lack::Kernel],
        play: network::destroyed,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-answer",
        errno: "ETIMEDOUT",
        calls: ALL,
        cause: "The peer has acknowledged nothing for longer than TCP_USER_TIMEOUT allows: a packet filter swallows \
                all that arrives.",
        cure: "The connection is dead: close the socket, and look for what is broken between the two. Without the \
               option the kernel keeps trying for about a quarter of an hour.",
        documented: &["tcp(7)"],
        needs: &[Lack::Namespaces, Lack::Kernel],
        play: network::no_answer,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-room",
        errno: "EAGAIN",
        calls: ALL,
        cause: "The buffers are full, and the call may not wait (MSG_DONTWAIT, or a socket with O_NONBLOCK).",
        cure: "Wait until poll says that there is room, and then send what is left.",
        documented: &["send(2)", "ip(7)", "POSIX"],
        play: connections::no_room,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-room-in-time",
        errno: "EAGAIN",
        calls: ALL,
        cause: "The buffers are full, and stayed so for as long as SO_SNDTIMEO allows the call to wait.",
        cure: "Try again or give up, as the program's own patience is. It is not ETIMEDOUT: the connection lives.",
        documented: &["send(2)", "socket(7)"],
        play: connections::no_room_in_time,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unix-queue-full",
        errno: "EAGAIN",
        calls: ALL,
        cause: "So many datagrams wait at the peer's socket (AF_UNIX) that it takes no more, and the call may not \
                wait.",
        cure: "Wait until poll says that there is room. (How many may wait is net.unix.max_dgram_qlen.)",
        documented: &["send(2)"],
        play: unix::unix_queue_full,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-port-left",
        errno: "EAGAIN",
        calls: WITH_ADDRESS,
        cause: "The UDP socket is not bound, so the call must choose a port for it, and all that it may choose from \
                are taken.",
        cure: "Close what holds them, or widen net.ipv4.ip_local_port_range. Waiting alone helps only if others \
               close.",
        documented: &["send(2)"],
        needs: &[Lack::Namespaces, Lack::Settings],
        play: datagrams::no_port_left,
        ..Provocation::USUAL
    },
    Provocation {
        name: "interrupted",
        errno: "EINTR",
        calls: ALL,
        cause: "The buffers are full and the call sleeps; a signal comes to a handler without SA_RESTART before a \
                byte was taken.",
        cure: "Call again. (With SA_RESTART the kernel does it itself, unless SO_SNDTIMEO is set.)",
        documented: &["send(2)", "POSIX"],
        remark: "ERESTARTSYS is what a tracer sees; the kernel makes EINTR of it before the program does.",
        play: connections::interrupted,
        ..Provocation::USUAL
    },
    Provocation {
        name: "fast-open-under-way",
        errno: "EINPROGRESS",
        calls: WITH_ADDRESS,
        cause: "MSG_FASTOPEN asks to connect and to send in one call that may not wait, and the connection is still \
                being made.",
        cure: "Wait until poll says that there is room (the connection is there), then send. The bytes of this call \
               were not taken.",
        documented: &["send(2)"],
        remark: "Only the paragraph on MSG_FASTOPEN tells of it, not the list of errors.",
        otherwise: fast_open::OFF_BOTH,
        play: fast_open::fast_open_under_way,
        ..Provocation::USUAL
    },
    Provocation {
        name: "put-off-and-under-way",
        errno: "EINPROGRESS",
        calls: ALL,
        cause: "With TCP_FASTOPEN_CONNECT connect puts its first packet off until the first send; that send has \
                nothing to carry, and may not wait.",
        cure: "Wait until poll says that there is room, as after a connect that may not wait.",
        documented: &["send(2)"],
        remark: "Only the paragraph on MSG_FASTOPEN tells of it, not the list of errors.",
        needs: &[Lack::Namespaces, Lack::Settings],
        play: fast_open::put_off_and_under_way,
        ..Provocation::USUAL
    },
    Provocation {
        name: "fast-open-twice",
        errno: "EALREADY",
        calls: WITH_ADDRESS,
        cause: "A second MSG_FASTOPEN, while the connection that the first one asked for is still being made.",
        cure: "Wait until poll says that there is room, and then send without MSG_FASTOPEN.",
        documented: &["send(2)"],
        otherwise: fast_open::OFF_THRICE,
        play: fast_open::fast_open_twice,
        ..Provocation::USUAL
    },
    Provocation {
        name: "fast-open-while-connecting",
        errno: "EALREADY",
        calls: &["send"],
        cause: "MSG_FASTOPEN on a socket whose connect is still under way.",
        cure: "Connect or use MSG_FASTOPEN, not both.",
        documented: &["send(2)"],
        otherwise: fast_open::OFF_ONCE,
        play: fast_open::fast_open_while_connecting,
        ..Provocation::USUAL
    },
    Provocation {
        name: "fast-open-refused",
        errno: "ECONNREFUSED",
        calls: WITH_ADDRESS,
        cause: "MSG_FASTOPEN asks to connect and to send in one call, and at that port nobody listens.",
        cure: "As after connect: look at address and port, and whether the server runs.",
        documented: &[],
        remark: "It is connect's own errno.",
        otherwise: fast_open::OFF_BOTH,
        play: fast_open::fast_open_refused,
        ..Provocation::USUAL
    },
    Provocation {
        name: "udp-port-closed",
        errno: "ECONNREFUSED",
        calls: ALL,
        cause: "An earlier datagram came to a port at which nobody receives, and the far machine said so (ICMP, port \
                unreachable).",
        cure: "The bytes of this call were not sent. Try later, or look at the port.",
        documented: &["udp(7)"],
        remark: "It is the next call that reports it, and only on a connected socket (or one with IP_RECVERR).",
        play: datagrams::udp_port_closed,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unix-datagram-peer-closed",
        errno: "ECONNREFUSED",
        calls: ALL,
        cause: "The peer of a datagram socket of the family AF_UNIX has closed its end.",
        cure: "Nobody receives any more: close this end, or connect it to somebody else. (The next call would say \
               ENOTCONN.)",
        documented: &["unix(7)"],
        play: unix::unix_datagram_peer_closed,
        ..Provocation::USUAL
    },
    Provocation {
        name: "path-is-a-file",
        errno: "ECONNREFUSED",
        calls: WITH_ADDRESS,
        cause: "At the path there is a plain file, or the socket there has been closed by its program.",
        cure: "Start the receiver. If the file should be its socket, the receiver must remove it before it binds.",
        documented: &["unix(7)"],
        play: unix::path_is_a_file,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-such-netlink-port",
        errno: "ECONNREFUSED",
        calls: WITH_ADDRESS,
        cause: "A netlink socket (a way to talk to the kernel, and to other programs) sends to a port number that no \
                other one has.",
        cure: "Send to 0, which is the kernel, or learn the receiver's number from the receiver.",
        documented: &[],
        needs: &[Lack::Namespaces],
        play: network::no_such_netlink_port,
        ..Provocation::USUAL
    },
    Provocation {
        name: "broadcast",
        errno: "EACCES",
        calls: WITH_ADDRESS,
        cause: "The address is a broadcast address, one for all machines of a network, and the UDP socket has not \
                asked for that.",
        cure: "If all are really meant, set SO_BROADCAST. If not, look at the address.",
        documented: &["send(2)", "ip(7)", "POSIX"],
        play: datagrams::broadcast,
        ..Provocation::USUAL
    },
    Provocation {
        name: "broadcast-taken-back",
        errno: "EACCES",
        calls: ALL,
        cause: "The UDP socket was connected to a broadcast address, and then SO_BROADCAST was taken from it again.",
        cure: "Leave SO_BROADCAST set for as long as the socket sends there.",
        documented: &["send(2)", "ip(7)", "POSIX"],
        remark: "Taking the option back is not noticed at once: the route is looked up again only after another \
                 change (here IP_TOS).",
        play: datagrams::broadcast_taken_back,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-write-permission",
        errno: "EACCES",
        calls: WITH_ADDRESS,
        cause: "The socket file at the path does not allow the user to write, and sending to it is writing.",
        cure: "Ask for the permission: the file's owner sets it with chmod, and the directories above must let the \
               user pass.",
        documented: &["send(2)", "POSIX"],
        needs: &[Lack::UnprivilegedUser],
        play: unix::no_write_permission,
        ..Provocation::USUAL
    },
    Provocation {
        name: "prohibited",
        errno: "EACCES",
        calls: WITH_ADDRESS,
        cause: "The way to that address is a prohibit route, a route that forbids.",
        cure: "Ask who keeps the machine's routes (`ip route get ADDRESS` shows which one it is).",
        documented: &["ip(7)"],
        needs: &[Lack::Namespaces],
        play: network::prohibited,
        ..Provocation::USUAL
    },
    Provocation {
        name: "packet-filter",
        errno: "EPERM",
        calls: ALL,
        cause: "A packet filter of this very machine drops the datagram on its way out.",
        cure: "Look at the rules (`nft list ruleset`). Nothing in the program is wrong.",
        documented: &[],
        remark: "Documented for connect(2) and accept(2), but it is send that gets it.",
        needs: &[Lack::Namespaces, Lack::Kernel],
        play: network::packet_filter,
        ..Provocation::USUAL
    },
    Provocation {
        name: "taken-by-another",
        errno: "EPERM",
        calls: WITH_ADDRESS,
        cause: "The receiver, a datagram socket of the family AF_UNIX, is connected to somebody else, and so it \
                hears nobody but them.",
        cure: "Send to a socket that is not connected, or let the receiver connect to this one.",
        documented: &[],
        play: unix::taken_by_another,
        ..Provocation::USUAL
    },
    Provocation {
        name: "not-our-credentials",
        errno: "EPERM",
        calls: &["sendmsg"],
        cause: "The message is to say who sends it (SCM_CREDENTIALS), and says somebody else: process 1, user 0.",
        cure: "Say one's own process, user and group; only root may say another's.",
        documented: &["unix(7)"],
        needs: &[Lack::UnprivilegedUser],
        play: unix::not_our_credentials,
        ..Provocation::USUAL
    },
    Provocation {
        name: "netlink-to-a-program",
        errno: "EPERM",
        calls: WITH_ADDRESS,
        cause: "A netlink socket sends to another program, which for most netlink protocols only root may.",
        cure: "Send to the kernel (port number 0), or use another kind of socket between programs, such as AF_UNIX.",
        documented: &[],
        needs: &[Lack::UnprivilegedUser],
        play: network::netlink_to_a_program,
        ..Provocation::USUAL
    },
    Provocation {
        name: "landlocked",
        errno: "EPERM",
        calls: WITH_ADDRESS,
        cause: "The program is in a Landlock sandbox, in which it may not reach abstract names of AF_UNIX that were \
                bound outside.",
        cure: "It is what the sandbox is for. Hand over a connected socket before, or leave out that rule.",
        documented: &[],
        remark: "No page on sockets tells of it (landlock(7) describes the scope).",
        needs: &[Lack::Kernel],
        play: unix::landlocked,
        ..Provocation::USUAL
    },
    Provocation {
        name: "cgroup-program",
        errno: "EPERM",
        calls: WITH_ADDRESS,
        cause: "A BPF program that is attached to the process's control group refuses the datagram.",
        cure: "Ask who keeps the machine's rules: containers and services may have such programs. Nothing in this \
               program is wrong.",
        documented: &[],
        way: Way::Elsewhere("it takes a program in a control group, which only root can put there"),
        play: datagrams::ordinary_datagram,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-such-process",
        errno: "ESRCH",
        calls: &["sendmsg"],
        cause: "The message is to say who sends it (SCM_CREDENTIALS), and names a process that does not exist.",
        cure: "Say one's own process. Only root comes so far at all; others get EPERM. (Here the program is root in \
               a namespace of its own.)",
        documented: &["unix(7)"],
        needs: &[Lack::Namespaces],
        play: unix::no_such_process,
        ..Provocation::USUAL
    },
    Provocation {
        name: "address-too-short",
        errno: "EINVAL",
        calls: WITH_ADDRESS,
        cause: "The length that was given is too small for an address of the socket's family.",
        cure: "Give the size of the whole structure (16 for a sockaddr_in).",
        documented: &["send(2)", "POSIX"],
        play: datagrams::address_too_short,
        ..Provocation::USUAL
    },
    Provocation {
        name: "port-0",
        errno: "EINVAL",
        calls: WITH_ADDRESS,
        cause: "The port is 0, at which no UDP socket can be.",
        cure: "Look whether the port was ever set. (Only bind takes 0, for “choose one”.)",
        documented: &[],
        play: datagrams::port_0,
        ..Provocation::USUAL
    },
    Provocation {
        name: "blackhole",
        errno: "EINVAL",
        calls: WITH_ADDRESS,
        cause: "The way to that address is a blackhole route, a route on which all is thrown away.",
        cure: "Look at the routes (`ip route get ADDRESS`): nothing in the program is wrong.",
        documented: &["ip(7)"],
        remark: "Packets that a router throws away vanish in silence; on the sender's own machine the call is told, \
                 in a word that suggests a bad argument.",
        needs: &[Lack::Namespaces],
        play: network::blackhole,
        ..Provocation::USUAL
    },
    Provocation {
        name: "too-many-pieces",
        errno: "EINVAL",
        calls: ALL,
        cause: "UDP_SEGMENT asks to cut what is sent into datagrams of one byte, and there would be more than 128.",
        cure: "Send less at once, or in larger pieces.",
        documented: &[],
        play: datagrams::too_many_pieces,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-room-for-a-header",
        errno: "EINVAL",
        calls: ALL,
        cause: "On a raw socket with IP_HDRINCL the program brings the IP header itself, and these few bytes are \
                shorter than one.",
        cure: "Begin what is sent with a whole IP header: at least 20 bytes.",
        documented: &["raw(7)"],
        needs: &[Lack::Namespaces],
        play: network::no_room_for_a_header,
        ..Provocation::USUAL
    },
    Provocation {
        name: "too-many-descriptors",
        errno: "EINVAL",
        calls: &["sendmsg"],
        cause: "One message is to carry 254 descriptors (SCM_RIGHTS), and 253 is the limit.",
        cure: "Send them in several messages.",
        documented: &["unix(7)"],
        play: unix::too_many_descriptors,
        ..Provocation::USUAL
    },
    Provocation {
        name: "malformed-control-data",
        errno: "EINVAL",
        calls: &["sendmsg"],
        cause: "A control message says that it is three bytes long, which is shorter than its own header.",
        cure: "Let CMSG_LEN and CMSG_SPACE do the sums.",
        documented: &[],
        play: unix::malformed_control_data,
        ..Provocation::USUAL
    },
    Provocation {
        name: "other-family",
        errno: "EAFNOSUPPORT",
        calls: WITH_ADDRESS,
        cause: "The address is of another family than the socket: AF_INET6 for a socket of AF_INET.",
        cure: "Make the socket with the family that the address has. getaddrinfo tells both.",
        documented: &["POSIX"],
        remark: "send(2) does not list it.",
        play: datagrams::other_family,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-such-path",
        errno: "ENOENT",
        calls: WITH_ADDRESS,
        cause: "At the path there is nothing.",
        cure: "Start the receiver, or look at the path. (A relative path begins at the current directory, and may be \
               right elsewhere.)",
        documented: &["unix(7)", "POSIX"],
        play: unix::no_such_path,
        ..Provocation::USUAL
    },
    Provocation {
        name: "path-through-a-file",
        errno: "ENOTDIR",
        calls: WITH_ADDRESS,
        cause: "The path leads through a plain file as if it were a directory.",
        cure: "Look at the path.",
        documented: &["POSIX"],
        remark: "Neither send(2) nor unix(7) lists it.",
        play: unix::path_through_a_file,
        ..Provocation::USUAL
    },
    Provocation {
        name: "links-in-a-circle",
        errno: "ELOOP",
        calls: WITH_ADDRESS,
        cause: "The path is a symbolic link that leads to itself.",
        cure: "Mend the link.",
        documented: &["POSIX"],
        remark: "Neither send(2) nor unix(7) lists it.",
        play: unix::links_in_a_circle,
        ..Provocation::USUAL
    },
    Provocation {
        name: "name-too-long",
        errno: "ENAMETOOLONG",
        calls: WITH_ADDRESS,
        cause: "The path is a symbolic link to a name of 300 characters, and no file's name has more than 255.",
        cure: "Mend the link.",
        documented: &["POSIX"],
        remark: "Neither send(2) nor unix(7) lists it. The path in a sockaddr_un itself has at most 108 bytes, so it \
                 takes a link to come so far.",
        play: unix::name_too_long,
        ..Provocation::USUAL
    },
    Provocation {
        name: "other-kind",
        errno: "EPROTOTYPE",
        calls: WITH_ADDRESS,
        cause: "The socket at the path is of another kind: datagrams were sent to the path of a stream socket.",
        cure: "Make the socket with the receiver's kind (SOCK_STREAM here), and connect it.",
        documented: &["unix(7)"],
        play: unix::other_kind,
        ..Provocation::USUAL
    },
    Provocation {
        name: "too-large-for-udp",
        errno: "EMSGSIZE",
        calls: ALL,
        cause: "The datagram has 65508 bytes, and over IPv4 UDP carries at most 65507.",
        cure: "Send less at once; a datagram is never cut up for the program. For much data there is TCP.",
        documented: &["send(2)", "POSIX"],
        play: datagrams::too_large_for_udp,
        ..Provocation::USUAL
    },
    Provocation {
        name: "too-large-for-the-way",
        errno: "EMSGSIZE",
        calls: ALL,
        cause: "The datagram is larger than a packet may be on this way, and IP_MTU_DISCOVER forbids to send it in \
                fragments.",
        cure: "Send smaller datagrams: getsockopt(IP_MTU) tells how much a packet may hold.",
        documented: &["ip(7)", "udp(7)"],
        needs: &[Lack::Namespaces],
        play: network::too_large_for_the_way,
        ..Provocation::USUAL
    },
    Provocation {
        name: "too-large-for-unix",
        errno: "EMSGSIZE",
        calls: ALL,
        cause: "A datagram of the family AF_UNIX is larger than the send buffer.",
        cure: "Send less at once, or raise SO_SNDBUF (net.core.wmem_max is the limit).",
        documented: &["send(2)"],
        play: unix::too_large_for_unix,
        ..Provocation::USUAL
    },
    Provocation {
        name: "too-many-buffers",
        errno: "EMSGSIZE",
        calls: &["sendmsg"],
        cause: "The message is in 1025 buffers (msg_iovlen), and 1024 is the limit.",
        cure: "Join some of them, or call more than once. sysconf(_SC_IOV_MAX) tells the limit.",
        documented: &["POSIX"],
        play: datagrams::too_many_buffers,
        ..Provocation::USUAL
    },
    Provocation {
        name: "too-large-for-the-link",
        errno: "EMSGSIZE",
        calls: WITH_ADDRESS,
        cause: "A packet socket, which hands frames to a link as they are, was given more than the link carries (its \
                MTU).",
        cure: "Send smaller frames; nothing cuts them up on this level.",
        documented: &["packet(7)"],
        needs: &[Lack::Namespaces],
        play: network::too_large_for_the_link,
        ..Provocation::USUAL
    },
    Provocation {
        name: "fragments-do-not-fit",
        errno: "ENOBUFS",
        calls: ALL,
        cause: "The datagram goes out in many fragments, and together they are more than the send buffer holds.",
        cure: "Raise SO_SNDBUF, or send smaller datagrams.",
        documented: &["send(2)", "ip(7)", "POSIX"],
        remark: "send(2) says that on Linux this does not normally occur. It needs no more than a small buffer and a \
                 large datagram.",
        needs: &[Lack::Ipv6],
        play: datagrams::fragments_do_not_fit,
        ..Provocation::USUAL
    },
    Provocation {
        name: "too-much-control-data",
        errno: "ENOBUFS",
        calls: &["sendmsg"],
        cause: "The control data is larger than a socket may have memory for (net.core.optmem_max).",
        cure: "Send less control data. A length that nobody has set is the more likely reason.",
        documented: &[],
        play: datagrams::too_much_control_data,
        ..Provocation::USUAL
    },
    Provocation {
        name: "memory-may-not-be-locked",
        errno: "ENOBUFS",
        calls: ALL,
        cause: "MSG_ZEROCOPY sends from the program's own memory, which must stay where it is meanwhile, and the \
                process may keep no memory in place (RLIMIT_MEMLOCK).",
        cure: "Raise the limit, wait for the notices that earlier bytes are done with, or send without MSG_ZEROCOPY.",
        documented: &[],
        remark: "No page tells of it, only the kernel's own documentation on MSG_ZEROCOPY. Root is exempt.",
        needs: &[Lack::UnprivilegedUser, Lack::Kernel],
        play: connections::memory_may_not_be_locked,
        ..Provocation::USUAL
    },
    Provocation {
        name: "link-queue-drops-frame",
        errno: "ENOBUFS",
        calls: WITH_ADDRESS,
        cause: "The queue of the link is too small for the frame that a packet socket hands to it, and drops it.",
        cure: "Send more slowly, or try again a little later.",
        documented: &["send(2)", "packet(7)"],
        needs: &[Lack::Namespaces, Lack::Kernel],
        play: network::link_queue_drops_frame,
        ..Provocation::USUAL
    },
    Provocation {
        name: "link-queue-drops-datagram",
        errno: "ENOBUFS",
        calls: ALL,
        cause: "The queue of the link drops the datagram, and the UDP socket has asked for such news (IP_RECVERR).",
        cure: "Send more slowly, or try again a little later.",
        documented: &["send(2)"],
        remark: "Without IP_RECVERR the loss is hidden: the call says that all was sent.",
        needs: &[Lack::Namespaces, Lack::Kernel],
        play: network::link_queue_drops_datagram,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory-for-the-bytes",
        errno: "ENOBUFS",
        calls: ALL,
        cause: "The kernel gets no memory to keep the bytes in: the program's control group has used up what it may \
                have.",
        cure: "Give the program, or its container, more memory.",
        documented: &[],
        remark: "send(2) and POSIX have ENOMEM for it. What Linux says is ENOBUFS.",
        way: Way::Elsewhere("it takes a memory cgroup that is full, which only root can make"),
        play: connections::ordinary_send,
        ..Provocation::USUAL
    },
    Provocation {
        name: "too-many-in-flight",
        errno: "ETOOMANYREFS",
        calls: &["sendmsg"],
        cause: "More descriptors are under way in messages that nobody has received than the process may have open \
                (RLIMIT_NOFILE).",
        cure: "Let the receiver receive. Whoever sends descriptors should wait for an answer now and then.",
        documented: &["unix(7)"],
        remark: "They are counted per user: what other programs of the same user have under way adds to it.",
        needs: &[Lack::UnprivilegedUser],
        play: unix::too_many_in_flight,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-urgent-datagrams",
        errno: "EOPNOTSUPP",
        calls: ALL,
        cause: "MSG_OOB asks for urgent data, and UDP has none.",
        cure: "Leave MSG_OOB out: it is for TCP, and better left alone there.",
        documented: &["send(2)", "POSIX"],
        play: datagrams::no_urgent_datagrams,
        ..Provocation::USUAL
    },
    Provocation {
        name: "address-for-a-stream",
        errno: "EOPNOTSUPP",
        calls: WITH_ADDRESS,
        cause: "An address was given to a stream socket of the family AF_UNIX that is not connected.",
        cure: "Connect it first, and send without an address: a stream has one peer, and connect chooses it.",
        documented: &[],
        remark: "No document tells of it: unix(7) has EISCONN for the address, and ENOTCONN where there is no peer.",
        play: unix::address_for_a_stream,
        ..Provocation::USUAL
    },
    Provocation {
        name: "fast-open-off",
        errno: "EOPNOTSUPP",
        calls: WITH_ADDRESS,
        cause: "MSG_FASTOPEN asks to connect and to send in one call, and on this machine that is switched off \
                (net.ipv4.tcp_fastopen).",
        cure: "Fall back to connect and send, as every program must that uses MSG_FASTOPEN.",
        documented: &["send(2)"],
        needs: &[Lack::Namespaces, Lack::Settings],
        play: fast_open::fast_open_off,
        ..Provocation::USUAL
    },
    Provocation {
        name: "source-route-failed",
        errno: "EOPNOTSUPP",
        calls: ALL,
        cause: "An earlier datagram was answered with the ICMP error “source route failed” (type 3, code 5), and the \
                next call reports it.",
        cure: "The bytes of this call were not sent. Leave out IP options that prescribe a way: routers do not \
               follow them today.",
        documented: &[],
        remark: "No page tells of it for this cause. Linux takes it for an error that may pass, and tells only \
                 sockets with IP_RECVERR.",
        needs: &[Lack::Namespaces],
        play: icmp::source_route_failed,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-route",
        errno: "ENETUNREACH",
        calls: WITH_ADDRESS,
        cause: "The machine has no route to that address.",
        cure: "Look at the address, and whether the network is up (`ip route get ADDRESS`).",
        documented: &["POSIX"],
        remark: "send(2) does not list it.",
        needs: &[Lack::Namespaces],
        play: network::no_route,
        ..Provocation::USUAL
    },
    Provocation {
        name: "network-unreachable",
        errno: "ENETUNREACH",
        calls: ALL,
        cause: "An earlier datagram was answered with the ICMP error “network unreachable” (type 3, code 0), and the \
                next call reports it.",
        cure: "The bytes of this call were not sent. Some router on the way knows no further: try later.",
        documented: &["POSIX"],
        remark: "Linux takes it for an error that may pass, and tells only sockets with IP_RECVERR.",
        needs: &[Lack::Namespaces],
        play: icmp::network_unreachable,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unreachable-route",
        errno: "EHOSTUNREACH",
        calls: WITH_ADDRESS,
        cause: "The way to that address is an unreachable route, a route that says that nothing is there.",
        cure: "Look at the routes (`ip route get ADDRESS`).",
        documented: &["ip(7)", "POSIX"],
        needs: &[Lack::Namespaces],
        play: network::unreachable_route,
        ..Provocation::USUAL
    },
    Provocation {
        name: "filtered",
        errno: "EHOSTUNREACH",
        calls: ALL,
        cause: "An earlier datagram was answered with the ICMP error “communication prohibited” (type 3, code 13), \
                and the next call reports it.",
        cure: "The bytes of this call were not sent. A packet filter on the way refuses them: ask who keeps it.",
        documented: &["ip(7)", "POSIX"],
        needs: &[Lack::Namespaces],
        play: icmp::filtered,
        ..Provocation::USUAL
    },
    Provocation {
        name: "host-unknown",
        errno: "EHOSTDOWN",
        calls: ALL,
        cause: "An earlier datagram was answered with the ICMP error “host unknown” (type 3, code 7), and the next \
                call reports it.",
        cure: "The bytes of this call were not sent. Look at the address.",
        documented: &[],
        remark: "No page tells of it.",
        needs: &[Lack::Namespaces],
        play: icmp::host_unknown,
        ..Provocation::USUAL
    },
    Provocation {
        name: "source-isolated",
        errno: "ENONET",
        calls: ALL,
        cause: "An earlier datagram was answered with the ICMP error “source host isolated” (type 3, code 8), and \
                the next call reports it.",
        cure: "The bytes of this call were not sent. Routers should not say this any more (RFC 1812); look at the \
               network all the same.",
        documented: &[],
        remark: "No page tells of it.",
        needs: &[Lack::Namespaces],
        play: icmp::source_isolated,
        ..Provocation::USUAL
    },
    Provocation {
        name: "protocol-unreachable",
        errno: "ENOPROTOOPT",
        calls: ALL,
        cause: "An earlier datagram was answered with the ICMP error “protocol unreachable” (type 3, code 2), and \
                the next call reports it.",
        cure: "The bytes of this call were not sent. The far machine does not speak UDP at all: look at the address.",
        documented: &[],
        remark: "No page tells of it for these calls; the word means a socket option elsewhere.",
        needs: &[Lack::Namespaces],
        play: icmp::protocol_unreachable,
        ..Provocation::USUAL
    },
    Provocation {
        name: "parameter-problem",
        errno: "EPROTO",
        calls: ALL,
        cause: "An earlier datagram was answered with the ICMP error “parameter problem” (type 12, code 0), and the \
                next call reports it.",
        cure: "The bytes of this call were not sent. Something in the header was not understood on the way: leave \
               out IP options.",
        documented: &["udp(7)"],
        needs: &[Lack::Namespaces],
        play: icmp::parameter_problem,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-source-address",
        errno: "EADDRNOTAVAIL",
        calls: WITH_ADDRESS,
        cause: "There is a route to that IPv6 address, but the machine has no address of its own to send from.",
        cure: "Give the link an IPv6 address; look with `ip -6 address`.",
        documented: &[],
        remark: "No page tells of it for these calls.",
        needs: &[Lack::Namespaces, Lack::Ipv6],
        play: network::no_source_address,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-such-link",
        errno: "ENODEV",
        calls: &["sendmsg"],
        cause: "The control message IP_PKTINFO names a link to send through, by its index, and there is none of that \
                index.",
        cure: "Ask for the index anew (if_nametoindex): it changes whenever a link is made again.",
        documented: &[],
        play: datagrams::no_such_link,
        ..Provocation::USUAL
    },
    Provocation {
        name: "link-has-gone",
        errno: "ENODEV",
        calls: WITH_ADDRESS,
        cause: "The socket is bound to a link (SO_BINDTODEVICE), and that link has been removed since.",
        cure: "Make a new socket when the link is back: a link of the same name is another link to the kernel.",
        documented: &[],
        needs: &[Lack::Namespaces, Lack::Kernel],
        play: network::link_has_gone,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-link-of-that-index",
        errno: "ENXIO",
        calls: WITH_ADDRESS,
        cause: "A packet socket sends to a link by its index, and there is none of that index.",
        cure: "Ask for the index anew (if_nametoindex).",
        documented: &["packet(7)"],
        needs: &[Lack::Namespaces],
        play: network::no_link_of_that_index,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-link-given",
        errno: "ENXIO",
        calls: ALL,
        cause: "A packet socket is bound to no link, and the call names none.",
        cure: "Bind it to a link, or give the address with sll_ifindex.",
        documented: &[],
        remark: "packet(7) has ENOTCONN for it.",
        needs: &[Lack::Namespaces],
        play: network::no_link_given,
        ..Provocation::USUAL
    },
    Provocation {
        name: "link-down",
        errno: "ENETDOWN",
        calls: ALL,
        cause: "The link that a packet socket is bound to has been switched off.",
        cure: "Switch it on (`ip link set NAME up`), and try again.",
        documented: &["packet(7)", "POSIX"],
        needs: &[Lack::Namespaces],
        play: network::link_down,
        ..Provocation::USUAL
    },
    Provocation {
        name: "udplite-in-segments",
        errno: "EIO",
        calls: ALL,
        cause: "UDP_SEGMENT asks to cut what is sent into datagrams, on a socket of UDP-Lite, which cannot.",
        cure: "Cut it up in the program, or use UDP.",
        documented: &["POSIX"],
        remark: "POSIX lists EIO for an error in reading or writing a file system, which is another matter.",
        needs: &[Lack::Kernel],
        play: datagrams::udplite_in_segments,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory-for-descriptors",
        errno: "ENOMEM",
        calls: &["sendmsg"],
        cause: "The message is to carry descriptors (SCM_RIGHTS), and the kernel gets no memory for the list of \
                them.",
        cure: "Give the program, or its container, more memory.",
        documented: &["send(2)", "POSIX"],
        way: Way::Elsewhere("it takes a memory cgroup that is full, which only root can make"),
        play: unix::ordinary_rights,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory",
        errno: "ENOMEM",
        calls: &["send", "sendto"],
        cause: "There is no memory.",
        cure: "Nothing can be done in the program but to say so and end.",
        documented: &["send(2)", "unix(7)", "POSIX"],
        remark: "The pages tell of it. Where Linux gets no memory for the bytes, it says ENOBUFS: see \
                 no-memory-for-the-bytes.",
        way: Way::Never("where Linux gets no memory for the bytes, it says ENOBUFS"),
        play: connections::ordinary_send,
        ..Provocation::USUAL
    },
];
