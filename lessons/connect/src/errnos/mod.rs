//! Every errno that connect can give, each provoked on its own: this chapter's part of the atlas.
//!
//! `cargo run -p lesson-connect -- ECONNREFUSED` plays those that give this errno, `-- name` the one of this name. The list
//! is here. The functions are in the files beside this one, in the order of the list.

use std::fs;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lab::{Lack, Provocation, Stop, Way};
use nix::errno::Errno;

use crate::{LENGTH, inet, path, server, unix, unix_server};

mod arguments;
mod icmp;
mod network;
mod paths;
mod rules;
mod state;
mod waiting;

pub static ERRNOS: &[Provocation] = &[
    Provocation {
        name: "no-descriptor",
        errno: "EBADF",
        calls: &["connect"],
        cause: "The number is not that of an open descriptor.",
        cure: "Look for what came before: the socket was closed already, or socket failed and its -1 was passed on.",
        documented: &["connect(2)", "POSIX"],
        play: arguments::no_descriptor,
        ..Provocation::USUAL
    },
    Provocation {
        name: "only-a-path",
        errno: "EBADF",
        calls: &["connect"],
        cause: "The descriptor was opened with O_PATH: it names a file, and nothing is open behind it.",
        cure: "Use a descriptor that socket made. (It is EBADF and not ENOTSOCK, since no open file can be asked what \
               it is.)",
        documented: &[],
        play: arguments::only_a_path,
        ..Provocation::USUAL
    },
    Provocation {
        name: "not-a-socket",
        errno: "ENOTSOCK",
        calls: &["connect"],
        cause: "The descriptor is open, but it is not a socket.",
        cure: "Look where the number comes from: a descriptor was closed, and its number has been given to a file \
               since.",
        documented: &["connect(2)", "POSIX"],
        play: arguments::not_a_socket,
        ..Provocation::USUAL
    },
    Provocation {
        name: "bad-address",
        errno: "EFAULT",
        calls: &["connect"],
        cause: "The pointer to the address leads to no memory of the program.",
        cure: "Pass a pointer to the address itself, and let it live as long as the call.",
        documented: &["connect(2)"],
        play: arguments::bad_address,
        ..Provocation::USUAL
    },
    Provocation {
        name: "too-short",
        errno: "EINVAL",
        calls: &["connect"],
        cause: "The length says that the address is shorter than an address of this family is.",
        cure: "Pass the size of the whole address: 16 for a sockaddr_in, 28 for a sockaddr_in6.",
        documented: &["POSIX"],
        remark: "The page connect(2) does not name EINVAL at all; POSIX does.",
        play: arguments::too_short,
        ..Provocation::USUAL
    },
    Provocation {
        name: "other-family",
        errno: "EAFNOSUPPORT",
        calls: &["connect"],
        cause: "The socket is of IPv4, and the address of another family.",
        cure: "Make the socket in the family of the address: one socket for each address that is tried.",
        documented: &["connect(2)", "POSIX"],
        play: arguments::other_family,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unix-other-family",
        errno: "EINVAL",
        calls: &["connect"],
        cause: "The socket is of AF_UNIX, and the address of another family.",
        cure: "Make the socket in the family of the address.",
        documented: &["unix(7)"],
        remark: "A TCP socket says EAFNOSUPPORT to this mistake.",
        play: arguments::unix_other_family,
        ..Provocation::USUAL
    },
    Provocation {
        name: "other-type",
        errno: "EPROTOTYPE",
        calls: &["connect"],
        cause: "At the path is a socket of another type: a stream server, say, and the client is a datagram socket.",
        cure: "Make the client's socket of the server's type.",
        documented: &["connect(2)", "unix(7)", "POSIX"],
        play: arguments::other_type,
        ..Provocation::USUAL
    },
    Provocation {
        name: "v4-in-v6-only",
        errno: "ENETUNREACH",
        calls: &["connect"],
        cause: "The socket of IPv6 is set to IPV6_V6ONLY, and the address is one of IPv4 in IPv6's clothes \
                (::ffff:127.0.0.1).",
        cure: "Use a socket of IPv4 for it, or leave IPV6_V6ONLY off.",
        documented: &[],
        remark: "There may be a way to 127.0.0.1, but none for this socket.",
        needs: &[Lack::Ipv6],
        play: arguments::v4_in_v6_only,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-scope",
        errno: "EINVAL",
        calls: &["connect"],
        cause: "The address is good on one link only (it begins with fe80), and the scope id, which tells the link, is \
                0.",
        cure: "Put the interface's number into sin6_scope_id: if_nametoindex tells it, and getaddrinfo does it for \
               fe80::1%eth0.",
        documented: &[],
        needs: &[Lack::Ipv6],
        play: arguments::no_scope,
        ..Provocation::USUAL
    },
    Provocation {
        name: "connected-already",
        errno: "EISCONN",
        calls: &["connect"],
        cause: "The socket is connected.",
        cure: "None needed, if it was an attempt to learn whether it is. For a second peer make a second socket.",
        documented: &["connect(2)", "ip(7)", "POSIX"],
        play: state::connected_already,
        ..Provocation::USUAL
    },
    Provocation {
        name: "listening",
        errno: "EISCONN",
        calls: &["connect"],
        cause: "The socket listens: it is a server's waiting room.",
        cure: "Make a socket of its own for the client's part.",
        documented: &[],
        remark: "POSIX says EOPNOTSUPP for it. Linux says that it is connected, which it is not.",
        play: state::listening,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unix-listening",
        errno: "EINVAL",
        calls: &["connect"],
        cause: "The socket listens, and is one of AF_UNIX.",
        cure: "Make a socket of its own for the client's part.",
        documented: &[],
        remark: "POSIX says EOPNOTSUPP for a listening socket, and a TCP socket says EISCONN.",
        play: state::unix_listening,
        ..Provocation::USUAL
    },
    Provocation {
        name: "packets",
        errno: "EOPNOTSUPP",
        calls: &["connect"],
        cause: "The socket is a packet socket (AF_PACKET), which speaks to a network card and has no peers.",
        cure: "Name the card with bind, or each packet's destination with sendto.",
        documented: &[],
        needs: &[Lack::Namespaces],
        play: state::packets,
        ..Provocation::USUAL
    },
    Provocation {
        name: "begun",
        errno: "EINPROGRESS",
        calls: &["connect"],
        cause: "The socket is non-blocking: connect has sent its first packet and does not wait for the answer.",
        cure: "It is no failure. Wait with poll until the socket is writable, then ask SO_ERROR how it went.",
        documented: &["connect(2)", "POSIX"],
        play: waiting::begun,
        ..Provocation::USUAL
    },
    Provocation {
        name: "limit-over",
        errno: "EINPROGRESS",
        calls: &["connect"],
        cause: "The socket has a time limit, SO_SNDTIMEO, and it is over before an answer came.",
        cure: "The attempt goes on. Wait on with poll, or close the socket to give up.",
        documented: &["socket(7)"],
        play: waiting::limit_over,
        ..Provocation::USUAL
    },
    Provocation {
        name: "still-under-way",
        errno: "EALREADY",
        calls: &["connect"],
        cause: "An earlier connect on this socket has begun and is not finished.",
        cure: "Wait with poll; another connect changes nothing.",
        documented: &["connect(2)", "ip(7)", "POSIX"],
        play: waiting::still_under_way,
        ..Provocation::USUAL
    },
    Provocation {
        name: "signal",
        errno: "EINTR",
        calls: &["connect"],
        cause: "A signal came while connect waited, and its handler was set without SA_RESTART.",
        cure: "The attempt goes on. Wait for its end with poll, then ask SO_ERROR; a second connect would say EALREADY \
               or wait for the first.",
        documented: &["connect(2)", "POSIX"],
        remark: "In the trace it is ERESTARTSYS, the kernel's own word before it has looked at the handler's flags. \
                 The program gets EINTR.",
        play: waiting::signal,
        ..Provocation::USUAL
    },
    Provocation {
        name: "signal-despite-restart",
        errno: "EINTR",
        calls: &["connect"],
        cause: "A signal came while connect waited with a time limit, SO_SNDTIMEO. Its handler was set with \
                SA_RESTART.",
        cure: "The attempt goes on. Wait for its end with poll, then ask SO_ERROR.",
        documented: &["signal(7)"],
        remark: "SA_RESTART does not help where a time limit is set: the kernel would have to know how much of it is \
                 left.",
        play: waiting::signal_despite_restart,
        ..Provocation::USUAL
    },
    Provocation {
        name: "nobody-listens",
        errno: "ECONNREFUSED",
        calls: &["connect"],
        cause: "At the address is a machine, and no TCP socket listens at this port.",
        cure: "Start the server, or look at the port: it may be another one, or the server listens at another of the \
               machine's addresses.",
        documented: &["connect(2)", "POSIX"],
        play: waiting::nobody_listens,
        ..Provocation::USUAL
    },
    Provocation {
        name: "port-unreachable",
        errno: "ECONNREFUSED",
        calls: &["connect"],
        cause: "The answer is an ICMP message, a network's error report: \"port unreachable\" (type 3, code 3). A \
                firewall that rejects says so.",
        cure: "Look at the firewall of the other machine as well as at its server.",
        documented: &["connect(2)", "POSIX"],
        needs: &[Lack::Namespaces],
        play: icmp::port_unreachable,
        ..Provocation::USUAL
    },
    Provocation {
        name: "nobody-behind-the-path",
        errno: "ECONNREFUSED",
        calls: &["connect"],
        cause: "The path is there, and no socket that listens is behind it: it is a plain file, or a server has left \
                it.",
        cure: "Start the server. Whoever removes an old path should first see that it is a socket.",
        documented: &["unix(7)"],
        play: paths::nobody_behind_the_path,
        ..Provocation::USUAL
    },
    Provocation {
        name: "listener-closed",
        errno: "ECONNREFUSED",
        calls: &["connect"],
        cause: "The client waited for a place in the unix server's queue, and the server closed its socket.",
        cure: "Try again when the server is back.",
        documented: &["unix(7)"],
        play: paths::listener_closed,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-answer",
        errno: "ETIMEDOUT",
        calls: &["connect"],
        cause: "Nobody answered: the kernel knocked as often as it may (here TCP_SYNCNT says once more), and gave up.",
        cure: "Look whether the machine is on, and whether a firewall swallows the packets. For a shorter limit use \
               poll.",
        documented: &["connect(2)", "POSIX"],
        play: waiting::no_answer,
        ..Provocation::USUAL
    },
    Provocation {
        name: "own-limit",
        errno: "ETIMEDOUT",
        calls: &["connect"],
        cause: "Nobody answered within TCP_USER_TIMEOUT.",
        cure: "Look why nobody answers, or give it more time. The kernel looks at this limit only when it would knock \
               again, after a second or more.",
        documented: &["tcp(7)"],
        play: waiting::own_limit,
        ..Provocation::USUAL
    },
    Provocation {
        name: "filtered",
        errno: "ETIMEDOUT",
        calls: &["connect"],
        cause: "A packet filter on this very machine drops the first packet, and each one after it.",
        cure: "Look at the machine's own rules (nft list ruleset) when a connect runs into its time limit.",
        documented: &[],
        remark: "connect(2) promises EACCES or EPERM for a local firewall rule. The kernel does say EPERM, to TCP, and \
                 TCP takes it for a lost packet and tries again.",
        needs: &[Lack::Namespaces],
        play: network::filtered,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-route",
        errno: "ENETUNREACH",
        calls: &["connect"],
        cause: "The table of routes has no way to the address.",
        cure: "Look at the routes (ip route): there may be no network at all, or no default route.",
        documented: &["connect(2)", "POSIX"],
        needs: &[Lack::Namespaces],
        play: network::no_route,
        ..Provocation::USUAL
    },
    Provocation {
        name: "loopback-down",
        errno: "ENETUNREACH",
        calls: &["connect"],
        cause: "The interface lo is down, so even the machine itself cannot be reached.",
        cure: "Raise it: ip link set lo up. A fresh network namespace begins so.",
        documented: &[],
        needs: &[Lack::Namespaces],
        play: network::loopback_down,
        ..Provocation::USUAL
    },
    Provocation {
        name: "tcp-to-all",
        errno: "ENETUNREACH",
        calls: &["connect"],
        cause: "The address is a broadcast or multicast address, that of many machines, and TCP is for two.",
        cure: "Connect to one machine's address, or send with UDP.",
        documented: &[],
        remark: "Setting SO_BROADCAST does not help. UDP says EACCES, where TCP says that there is no way.",
        play: network::tcp_to_all,
        ..Provocation::USUAL
    },
    Provocation {
        name: "network-unreachable",
        errno: "ENETUNREACH",
        calls: &["connect"],
        cause: "The answer is an ICMP message, a network's error report: \"network unreachable\" (type 3, code 0). A \
                router on the way has no route.",
        cure: "Nothing is wrong with the program; tell who keeps the network, or try another address.",
        documented: &["connect(2)", "POSIX"],
        needs: &[Lack::Namespaces],
        play: icmp::network_unreachable,
        ..Provocation::USUAL
    },
    Provocation {
        name: "unreachable-route",
        errno: "EHOSTUNREACH",
        calls: &["connect"],
        cause: "The table of routes has an unreachable route, one that says: nobody can be reached there.",
        cure: "Look at the routes (ip route get ADDRESS).",
        documented: &["ip(7)", "POSIX"],
        remark: "The page connect(2) does not name EHOSTUNREACH; ip(7) and POSIX do.",
        needs: &[Lack::Namespaces],
        play: network::unreachable_route,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-neighbour",
        errno: "EHOSTUNREACH",
        calls: &["connect"],
        cause: "The address belongs to this link, the kernel has asked there who has it (with ARP), and nobody \
                answered.",
        cure: "Look whether the machine is on and the cable is in, and whether the address is right.",
        documented: &["ip(7)"],
        needs: &[Lack::Namespaces],
        play: network::no_neighbour,
        ..Provocation::USUAL
    },
    Provocation {
        name: "filtered-on-the-way",
        errno: "EHOSTUNREACH",
        calls: &["connect"],
        cause: "The answer is an ICMP message, a network's error report: \"communication prohibited\" (type 3, code \
                13). A firewall on the way forbids it.",
        cure: "Ask who keeps the firewall; the program can only try another address.",
        documented: &["ip(7)", "POSIX"],
        needs: &[Lack::Namespaces],
        play: icmp::filtered_on_the_way,
        ..Provocation::USUAL
    },
    Provocation {
        name: "prohibit-route",
        errno: "EACCES",
        calls: &["connect"],
        cause: "The table of routes has a prohibit route, one that forbids.",
        cure: "Look at the routes (ip route get ADDRESS). No privilege helps, it is not the user who is refused.",
        documented: &["ip(7)"],
        needs: &[Lack::Namespaces],
        play: network::prohibit_route,
        ..Provocation::USUAL
    },
    Provocation {
        name: "blackhole-route",
        errno: "EINVAL",
        calls: &["connect"],
        cause: "The table of routes has a blackhole route, one that swallows all packets without a word.",
        cure: "Look at the routes (ip route get ADDRESS) before you look for a mistake in the arguments.",
        documented: &["ip(7)"],
        remark: "ip(7) tells of it for sending only. A blackhole that another machine has stays silent; this one's own \
                 says EINVAL.",
        needs: &[Lack::Namespaces],
        play: network::blackhole_route,
        ..Provocation::USUAL
    },
    Provocation {
        name: "interface-gone",
        errno: "ENODEV",
        calls: &["connect"],
        cause: "The socket is tied to an interface (SO_BINDTODEVICE), and the interface is there no more.",
        cure: "Make a new socket, and tie it to an interface that is there.",
        documented: &[],
        needs: &[Lack::Namespaces],
        play: network::interface_gone,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-port-left",
        errno: "EADDRNOTAVAIL",
        calls: &["connect"],
        cause: "Every port that the kernel may choose for a client has a connection to this server.",
        cure: "Keep connections instead of opening new ones, or widen net.ipv4.ip_local_port_range.",
        documented: &["connect(2)", "POSIX"],
        remark: "POSIX tells only of an address that is not available from this machine, and not of ports.",
        needs: &[Lack::Namespaces, Lack::Settings],
        play: network::no_port_left,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-port-left-for-udp",
        errno: "EAGAIN",
        calls: &["connect"],
        cause: "The socket is one of UDP, and every port that the kernel may choose for it is taken.",
        cure: "Close what holds them, or widen net.ipv4.ip_local_port_range. Trying again helps only if somebody else \
               closes a socket.",
        documented: &[],
        remark: "connect(2) says EADDRNOTAVAIL for it, and only TCP does. That page has another reason for EAGAIN, \
                 which is long gone.",
        needs: &[Lack::Namespaces, Lack::Settings],
        play: network::no_port_left_for_udp,
        ..Provocation::USUAL
    },
    Provocation {
        name: "pair-taken",
        errno: "EADDRNOTAVAIL",
        calls: &["connect"],
        cause: "The socket was bound to a port from which another one has a connection to the same server: the two \
                names together are taken.",
        cure: "Leave bind out, and let the kernel choose the port.",
        documented: &[],
        remark: "connect(2) and POSIX call it EADDRINUSE.",
        play: network::pair_taken,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-own-address",
        errno: "EADDRNOTAVAIL",
        calls: &["connect"],
        cause: "There is a way to the address, and this machine has no address of its own to come from.",
        cure: "Look at the addresses (ip -6 addr): IPv6 may be half switched off.",
        documented: &[],
        needs: &[Lack::Namespaces, Lack::Ipv6],
        play: network::no_own_address,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-such-path",
        errno: "ENOENT",
        calls: &["connect"],
        cause: "At the path there is nothing.",
        cure: "Start the server, and look at the working directory: a relative path begins there.",
        documented: &["unix(7)", "POSIX"],
        play: paths::no_such_path,
        ..Provocation::USUAL
    },
    Provocation {
        name: "file-on-the-way",
        errno: "ENOTDIR",
        calls: &["connect"],
        cause: "On the way to the path a name is not a directory but a file.",
        cure: "Look at each part of the path.",
        documented: &["POSIX"],
        remark: "The pages connect(2) and unix(7) do not name it.",
        play: paths::file_on_the_way,
        ..Provocation::USUAL
    },
    Provocation {
        name: "links-in-a-circle",
        errno: "ELOOP",
        calls: &["connect"],
        cause: "The path is a symbolic link that leads to itself.",
        cure: "Look where the link leads (readlink), and make it anew.",
        documented: &["POSIX"],
        remark: "The pages connect(2) and unix(7) do not name it.",
        play: paths::links_in_a_circle,
        ..Provocation::USUAL
    },
    Provocation {
        name: "name-too-long",
        errno: "ENAMETOOLONG",
        calls: &["connect"],
        cause: "The path is a symbolic link, and a name in what it leads to is longer than a file system allows (255 \
                bytes).",
        cure: "Look where the link leads. A path that does not fit into sun_path itself is another matter: it never \
               gets as far as connect.",
        documented: &["POSIX"],
        remark: "The pages connect(2) and unix(7) do not name it.",
        play: paths::name_too_long,
        ..Provocation::USUAL
    },
    Provocation {
        name: "queue-full",
        errno: "EAGAIN",
        calls: &["connect"],
        cause: "The unix server's queue is full, and the client does not want to wait: its socket is non-blocking.",
        cure: "Try again a little later: nothing is under way, and poll has nothing to wait for.",
        documented: &["connect(2)"],
        remark: "For TCP the same is EINPROGRESS.",
        play: paths::queue_full,
        ..Provocation::USUAL
    },
    Provocation {
        name: "queue-full-for-long",
        errno: "EAGAIN",
        calls: &["connect"],
        cause: "The unix server's queue is full, and the client's time limit, SO_SNDTIMEO, is over.",
        cure: "Try again, or say that the server is too busy. Nothing is under way.",
        documented: &[],
        remark: "connect(2) names EAGAIN for non-blocking sockets only. For TCP the same is EINPROGRESS.",
        play: paths::queue_full_for_long,
        ..Provocation::USUAL
    },
    Provocation {
        name: "path-not-writable",
        errno: "EACCES",
        calls: &["connect"],
        cause: "The user may not write to the socket's file, and to connect to a path is to write to it.",
        cure: "Let the server set the file's mode or owner (chmod, chown) so that its clients may write.",
        documented: &["connect(2)", "POSIX"],
        needs: &[Lack::UnprivilegedUser],
        play: paths::path_not_writable,
        ..Provocation::USUAL
    },
    Provocation {
        name: "directory-closed",
        errno: "EACCES",
        calls: &["connect"],
        cause: "The user may not pass through a directory on the way to the path (it lacks the permission x).",
        cure: "Look at each directory of the path (namei -l PATH).",
        documented: &["connect(2)", "POSIX"],
        needs: &[Lack::UnprivilegedUser],
        play: paths::directory_closed,
        ..Provocation::USUAL
    },
    Provocation {
        name: "udp-to-all",
        errno: "EACCES",
        calls: &["connect"],
        cause: "The address is a broadcast address, and the UDP socket is not allowed to speak to all.",
        cure: "If it is meant, set SO_BROADCAST; if not, look how the address came about.",
        documented: &["connect(2)", "ip(7)"],
        play: rules::udp_to_all,
        ..Provocation::USUAL
    },
    Provocation {
        name: "landlock-port",
        errno: "EACCES",
        calls: &["connect"],
        cause: "The program runs under Landlock, rules that a program makes for itself, and they allow connecting to \
                no TCP port.",
        cure: "Allow the port (LANDLOCK_RULE_NET_PORT) before the rules are put in force. Afterwards they can only \
               become tighter.",
        documented: &[],
        remark: "Any user may make such rules.",
        needs: &[Lack::Kernel],
        play: rules::landlock_port,
        ..Provocation::USUAL
    },
    Provocation {
        name: "landlock-scope",
        errno: "EPERM",
        calls: &["connect"],
        cause: "The program runs under Landlock's rules, and they forbid unix sockets with an abstract name (one that \
                is no file) made outside.",
        cure: "Use a path, or connect before the rules are put in force.",
        documented: &[],
        remark: "EPERM, where Landlock's rule about ports says EACCES. It takes Linux 6.12.",
        needs: &[Lack::Kernel],
        play: rules::landlock_scope,
        ..Provocation::USUAL
    },
    Provocation {
        name: "peer-taken",
        errno: "EPERM",
        calls: &["connect"],
        cause: "The unix datagram socket at the path is itself connected, to somebody else, and hears nobody but its \
                peer.",
        cure: "Leave the server's socket unconnected.",
        documented: &[],
        remark: "No permission is missing.",
        play: rules::peer_taken,
        ..Provocation::USUAL
    },
    Provocation {
        name: "netlink-to-a-program",
        errno: "EPERM",
        calls: &["connect"],
        cause: "The socket is a netlink socket, which speaks with the kernel about networks, and an ordinary user \
                connects it to another program.",
        cure: "Connect to 0, the kernel; programs speak to each other with unix sockets.",
        documented: &[],
        needs: &[Lack::UnprivilegedUser],
        play: rules::netlink_to_a_program,
        ..Provocation::USUAL
    },
    Provocation {
        name: "cgroup-program",
        errno: "EPERM",
        calls: &["connect"],
        cause: "The program runs in a control group, and a small program in the kernel (BPF) that belongs to the group \
                says no.",
        cure: "Ask who runs the container. Nothing in the program is wrong.",
        documented: &["connect(2)"],
        remark: "connect(2) has it for a local firewall rule.",
        way: Way::Elsewhere("it takes a program in the kernel for a control group, which only root may put there"),
        play: ordinary_connect,
        ..Provocation::USUAL
    },
    Provocation {
        name: "not-allowed",
        errno: "EACCES",
        calls: &["connect"],
        cause: "A security module, such as SELinux, forbids the connection.",
        cure: "Ask who keeps the machine's rules. Nothing in the program is wrong.",
        documented: &["connect(2)"],
        way: Way::Elsewhere("it takes a machine with a security module, and a rule of it"),
        play: ordinary_connect,
        ..Provocation::USUAL
    },
    Provocation {
        name: "error-fetched",
        errno: "ECONNABORTED",
        calls: &["connect"],
        cause: "A non-blocking connect has failed, and its error was fetched already (SO_ERROR tells it once).",
        cure: "Keep what SO_ERROR said, and make a new socket. (On Linux the next connect on this one begins afresh.)",
        documented: &[],
        play: state::error_fetched,
        ..Provocation::USUAL
    },
    Provocation {
        name: "destroyed",
        errno: "ECONNABORTED",
        calls: &["connect"],
        cause: "Somebody has destroyed the socket while it connected: root can do that to any socket (ss -K).",
        cure: "Make a new socket, if you want to try again.",
        documented: &[],
        needs: &[Lack::Namespaces],
        play: state::destroyed,
        ..Provocation::USUAL
    },
    Provocation {
        name: "reset-since",
        errno: "ECONNRESET",
        calls: &["connect"],
        cause: "A non-blocking connect has succeeded, and the server has reset the connection before connect was \
                called again.",
        cure: "Ask SO_ERROR instead of calling connect again, and make a new socket.",
        documented: &["POSIX"],
        remark: "The page connect(2) does not name it; POSIX does.",
        play: state::reset_since,
        ..Provocation::USUAL
    },
    Provocation {
        name: "ended-and-reset-since",
        errno: "EPIPE",
        calls: &["connect"],
        cause: "A non-blocking connect has succeeded, and before connect was called again the server said that it will \
                send no more (a FIN), and then reset the connection.",
        cure: "Ask SO_ERROR instead of calling connect again, and make a new socket.",
        documented: &[],
        remark: "The errno depends on what came before the reset.",
        play: state::ended_and_reset_since,
        ..Provocation::USUAL
    },
    Provocation {
        name: "shut-down-meanwhile",
        errno: "ECONNRESET",
        calls: &["connect"],
        cause: "While connect waited, another thread shut the socket down.",
        cure: "Let one thread decide about a socket. If this is how you give up, ECONNRESET is the answer to expect.",
        documented: &[],
        play: state::shut_down_meanwhile,
        ..Provocation::USUAL
    },
    Provocation {
        name: "dissolved-meanwhile",
        errno: "EPIPE",
        calls: &["connect"],
        cause: "While connect waited, another thread dissolved the attempt: it connected the socket to AF_UNSPEC, \
                nobody.",
        cure: "Let one thread decide about a socket.",
        documented: &[],
        play: state::dissolved_meanwhile,
        ..Provocation::USUAL
    },
    Provocation {
        name: "protocol-unreachable",
        errno: "ENOPROTOOPT",
        calls: &["connect"],
        cause: "The answer is an ICMP message, a network's error report: \"protocol unreachable\" (type 3, code 2). \
                The other machine has no TCP.",
        cure: "Look at the address: a machine without TCP is hardly the server that is meant.",
        documented: &[],
        remark: "Elsewhere this errno is about an unknown socket option.",
        needs: &[Lack::Namespaces],
        play: icmp::protocol_unreachable,
        ..Provocation::USUAL
    },
    Provocation {
        name: "source-route-failed",
        errno: "EOPNOTSUPP",
        calls: &["connect"],
        cause: "The answer is an ICMP message, a network's error report: \"source route failed\" (type 3, code 5), \
                about a route that the packet itself prescribes.",
        cure: "Do not prescribe routes (IP_OPTIONS). A message of this kind about ordinary packets is a mistake, or a \
               lie.",
        documented: &[],
        needs: &[Lack::Namespaces],
        play: icmp::source_route_failed,
        ..Provocation::USUAL
    },
    Provocation {
        name: "host-unknown",
        errno: "EHOSTDOWN",
        calls: &["connect"],
        cause: "The answer is an ICMP message, a network's error report: \"destination host unknown\" (type 3, code \
                7).",
        cure: "Treat it as EHOSTUNREACH: another address, or later.",
        documented: &[],
        remark: "Routers hardly send this message any more.",
        needs: &[Lack::Namespaces],
        play: icmp::host_unknown,
        ..Provocation::USUAL
    },
    Provocation {
        name: "host-isolated",
        errno: "ENONET",
        calls: &["connect"],
        cause: "The answer is an ICMP message, a network's error report: \"source host isolated\" (type 3, code 8): \
                the router says that this machine has no network.",
        cure: "Treat it as ENETUNREACH.",
        documented: &[],
        remark: "Routers hardly send this message any more.",
        needs: &[Lack::Namespaces],
        play: icmp::host_isolated,
        ..Provocation::USUAL
    },
    Provocation {
        name: "parameter-problem",
        errno: "EPROTO",
        calls: &["connect"],
        cause: "The answer is an ICMP message, a network's error report: \"parameter problem\" (type 12): a router \
                could not make sense of the packet's header.",
        cure: "Look for options on the socket (IP_OPTIONS), or for a broken machine on the way.",
        documented: &[],
        needs: &[Lack::Namespaces],
        play: icmp::parameter_problem,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory-for-mptcp",
        errno: "ENFILE",
        calls: &["connect"],
        cause: "The socket speaks Multipath TCP, and the kernel gets no memory for the hidden TCP socket behind it.",
        cure: "Give the program, or its container, more memory.",
        documented: &[],
        remark: "No table of files is full: the kernel says ENFILE whenever it cannot make a \
                 socket.",
        way: Way::Elsewhere("it takes a memory cgroup that is full, which only root can make"),
        play: ordinary_connect,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory-for-the-peer",
        errno: "ENOMEM",
        calls: &["connect"],
        cause: "For a unix client the kernel makes the server's end during connect, and gets no memory for it.",
        cure: "Give the program, or its container, more memory.",
        documented: &[],
        way: Way::Elsewhere("it takes a memory cgroup that is full, which only root can make"),
        play: ordinary_unix_connect,
        ..Provocation::USUAL
    },
    Provocation {
        name: "address-in-use",
        errno: "EADDRINUSE",
        calls: &["connect"],
        cause: "The client's own address is in use.",
        cure: "Leave bind out, and let the kernel choose the port.",
        documented: &["connect(2)", "POSIX"],
        remark: "Linux says EADDRNOTAVAIL where the documents say this.",
        way: Way::Never("Linux says EADDRNOTAVAIL for a pair of names that is taken"),
        play: ordinary_connect,
        ..Provocation::USUAL
    },
    Provocation {
        name: "disk-error",
        errno: "EIO",
        calls: &["connect"],
        cause: "The disk with the path on it cannot be read.",
        cure: "Look at the kernel's messages (dmesg): the disk may be dying.",
        documented: &["POSIX"],
        way: Way::Elsewhere("it takes a disk that fails"),
        play: ordinary_unix_connect,
        ..Provocation::USUAL
    },
    Provocation {
        name: "interface-down",
        errno: "ENETDOWN",
        calls: &["connect"],
        cause: "The interface on the way is down.",
        cure: "Raise the interface.",
        documented: &["POSIX"],
        remark: "Linux takes the routes away with the interface, and so says ENETUNREACH.",
        way: Way::Never("Linux removes an interface's routes when it goes down, and says ENETUNREACH"),
        play: ordinary_connect,
        ..Provocation::USUAL
    },
    Provocation {
        name: "no-memory",
        errno: "ENOBUFS",
        calls: &["connect"],
        cause: "The kernel has no memory for the first packet.",
        cure: "Give the machine more memory. Waiting and trying again may help.",
        documented: &["POSIX"],
        way: Way::Elsewhere("it takes a kernel that has run out of memory"),
        play: ordinary_connect,
        ..Provocation::USUAL
    },
];

/// A connect that nothing is wrong with: the observer makes it fail.
fn ordinary_connect() -> Result<(), Stop> {
    let (_, address) = server(5)?;
    let client = inet(libc::SOCK_STREAM)?;
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    Ok(())
}

/// The same at a path.
fn ordinary_unix_connect() -> Result<(), Stop> {
    unix_server("demo.sock")?;
    let client = unix(libc::SOCK_STREAM)?;
    let (address, length) = path("demo.sock");
    // SAFETY: `address` is a sockaddr_un, longer than `length`, and connect only reads it.
    unsafe { libc::connect(client, (&raw const address).cast(), length) };
    Ok(())
}

/// A client whose non-blocking connect to this address is under way.
fn under_way(address: libc::sockaddr_in) -> Result<libc::c_int, Stop> {
    let client = inet(libc::SOCK_STREAM | libc::SOCK_NONBLOCK)?;
    begin(client, address)?;
    Ok(client)
}

/// Begins a connect of this non-blocking socket to this address, which does not end at once.
fn begin(client: libc::c_int, address: libc::sockaddr_in) -> Result<(), Stop> {
    // SAFETY: `address` is a sockaddr_in, LENGTH bytes long, and connect only reads it.
    let connected = unsafe { libc::connect(client, (&raw const address).cast(), LENGTH) };
    if connected == 0 || Errno::last() != Errno::EINPROGRESS {
        return Err(Stop::unexpected("the connect did not stay under way"));
    }
    Ok(())
}

/// Gives a socket's option this value.
fn set<T>(fd: libc::c_int, level: libc::c_int, option: libc::c_int, value: T) -> Result<(), Stop> {
    // SAFETY: `value` is a T, as long as we say, and setsockopt only reads it.
    match unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), size_of::<T>() as libc::socklen_t) } {
        -1 => Err(Stop::failed("setsockopt")),
        _ => Ok(()),
    }
}

/// So many milliseconds, as SO_SNDTIMEO wants them.
fn milliseconds(count: libc::suseconds_t) -> libc::timeval {
    libc::timeval { tv_sec: count / 1000, tv_usec: count % 1000 * 1000 }
}

/// Waits until poll reports one of these events at the socket, or an error or a hang-up, which it always reports.
fn wait_for(fd: libc::c_int, events: libc::c_short) -> Result<(), Stop> {
    let mut question = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: `question` is the one pollfd that we announce, and ours to be written to.
    match unsafe { libc::poll(&raw mut question, 1, 10_000) } {
        -1 => Err(Stop::failed("poll")),
        0 => Err(Stop::unexpected(format!("nothing has happened at descriptor {fd} in ten seconds"))),
        _ => Ok(()),
    }
}

/// Starts a second thread, which waits until this one sleeps in a system call, and then does this.
fn meanwhile(act: impl FnOnce() -> Result<(), Stop> + Send + 'static) -> JoinHandle<Result<(), Stop>> {
    // SAFETY: gettid takes nothing and returns a number.
    let waiting = unsafe { libc::gettid() };
    lab::stop_watching(); // Threads are not what this is about.
    let helper = thread::spawn(move || {
        wait_until_it_sleeps(waiting)?;
        act()
    });
    lab::watch_again();
    helper
}

/// Waits until this thread of the process sleeps in a system call: state S in /proc/self/task/TID/stat, seen twice.
fn wait_until_it_sleeps(thread: libc::pid_t) -> Result<(), Stop> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut seen = 0;
    while seen < 2 {
        thread::sleep(Duration::from_millis(2));
        let line = fs::read_to_string(format!("/proc/self/task/{thread}/stat"))
            .map_err(|error| Stop::unexpected(format!("/proc/self/task/{thread}/stat cannot be read: {error}")))?;
        // Such as `4711 (lesson-connect) S 4710 …`: the state follows the name.
        let state = line.rsplit(") ").next().and_then(|rest| rest.chars().next());
        seen = if state == Some('S') { seen + 1 } else { 0 };
        if Instant::now() > deadline {
            return Err(Stop::unexpected(format!(
                "after ten seconds the client does not wait; its state is {state:?}"
            )));
        }
    }
    Ok(())
}

/// How the second thread fared.
fn outcome(helper: JoinHandle<Result<(), Stop>>) -> Result<(), Stop> {
    helper.join().unwrap_or_else(|_| Err(Stop::unexpected("the second thread ended without a word")))
}
