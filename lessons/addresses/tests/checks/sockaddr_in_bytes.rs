//! `addresses/sockaddr-in-bytes`

use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use grader::{Bench, Fault, Stage, Suite, peers};
use nix::errno::Errno;

use super::{Page, hex};

pub fn add(suite: &mut Suite<Page>) {
    const ID: &str = "addresses/sockaddr-in-bytes";
    suite
        .check(ID, "family_is_a_host_order_u16", call, family_is_a_host_order_u16)
        .check(ID, "port_is_big_endian", call, port_is_big_endian)
        .check(ID, "octets_in_reading_order", call, octets_in_reading_order)
        .check(ID, "padding_is_zero", call, padding_is_zero)
        .check(ID, "every_port_survives_the_kernel", call_and_bind, every_port_survives_the_kernel);
}

fn call(page: &Page, stage: &mut Stage, (ip, port): (Ipv4Addr, u16)) -> [u8; 16] {
    *stage.call(format!("sockaddr_in_bytes({ip}, {port})"), || (page.sockaddr_in_bytes)(ip, port))
}

fn family_of(bytes: &[u8; 16]) -> u16 {
    u16::from_ne_bytes([bytes[0], bytes[1]])
}

fn port_of(bytes: &[u8; 16]) -> u16 {
    u16::from_be_bytes([bytes[2], bytes[3]])
}

const FAMILY: u16 = libc::AF_INET as u16;

type In = (Ipv4Addr, u16);

fn family_is_a_host_order_u16(bench: &Bench<In, [u8; 16]>) -> Result<(), Fault> {
    let run = bench.play((Ipv4Addr::LOCALHOST, 8080))?;
    match family_of(run.answer()?) {
        FAMILY => Ok(()),
        other => Err(run.reject().with("right", hex(&FAMILY.to_ne_bytes())).with("n", other).into()),
    }
}

fn port_is_big_endian(bench: &Bench<In, [u8; 16]>) -> Result<(), Fault> {
    for port in [8080, 50000] {
        let run = bench.play((Ipv4Addr::LOCALHOST, port))?;
        let became = port_of(run.answer()?);
        if became != port {
            let how = match became == port.swap_bytes() {
                true => "its two bytes are the wrong way round",
                false => "those are not its two bytes",
            };
            return Err(run.reject().with("p", port).with("q", became).with("how", how).into());
        }
    }
    Ok(())
}

fn octets_in_reading_order(bench: &Bench<In, [u8; 16]>) -> Result<(), Fault> {
    let run = bench.play((Ipv4Addr::new(127, 1, 2, 3), 8080))?;
    match &run.answer()?[4..8] {
        [127, 1, 2, 3] => Ok(()),
        other => Err(run.reject().with("got", hex(other)).into()),
    }
}

fn padding_is_zero(bench: &Bench<In, [u8; 16]>) -> Result<(), Fault> {
    let run = bench.play((Ipv4Addr::LOCALHOST, 8080))?;
    match &run.answer()?[8..] {
        [0, 0, 0, 0, 0, 0, 0, 0] => Ok(()),
        other => Err(run.reject().with("got", hex(other)).into()),
    }
}

/// A port that came back as another or was refused: the bytes for it, and what the kernel said.
type Lost = (u16, [u8; 16], Result<u16, i32>);

/// Binds what the function makes of each port, and asks the kernel which port that is. Ends with the first that is lost.
fn call_and_bind(page: &Page, stage: &mut Stage, (ip, ports): (Ipv4Addr, Vec<u16>)) -> Vec<Lost> {
    for port in ports {
        let bytes = *stage.call(format!("sockaddr_in_bytes({ip}, {port})"), || (page.sockaddr_in_bytes)(ip, port));
        let socket = peers::tcp().expect("a socket");
        // SAFETY: `bytes` has the 16 bytes that we say, and bind only reads them.
        match Errno::result(unsafe { libc::bind(socket.as_raw_fd(), bytes.as_ptr().cast(), 16) }) {
            Ok(_) => match peers::name_of(&socket).expect("a name").port() {
                same if same == port => (),
                other => return vec![(port, bytes, Ok(other))],
            },
            // Somebody has this port at every address of the machine, or it is kept for root. There are others.
            Err(Errno::EADDRINUSE | Errno::EACCES) if port_of(&bytes) == port => (),
            Err(errno) => return vec![(port, bytes, Err(errno as i32))],
        }
    }
    Vec::new()
}

/// 64 ports, half of them above 32767, where a sign would be.
fn sample() -> Vec<u16> {
    let low = (0..32).map(|step| 1025 + step * 991);
    let high = (0..30).map(|step| 32769 + step * 1087);
    low.chain(high).chain([50001, 65281]).collect()
}

fn every_port_survives_the_kernel(bench: &Bench<(Ipv4Addr, Vec<u16>), Vec<Lost>>) -> Result<(), Fault> {
    let ip = peers::own_loopback_address();
    let run = bench.play((ip, sample()))?;
    let Some((port, bytes, said)) = run.answer()?.first() else { return Ok(()) };
    if family_of(bytes) != FAMILY {
        return Err(Fault::waits("family_is_a_host_order_u16", "the family is wrong"));
    }
    if bytes[4..8] != ip.octets() {
        return Err(Fault::waits("octets_in_reading_order", "the address is another"));
    }
    if port_of(bytes) == port.swap_bytes() {
        return Err(Fault::waits("port_is_big_endian", "the port's bytes are swapped"));
    }
    let got = match said {
        Ok(other) => format!("port {other}"),
        Err(errno) => format!("{:?}", Errno::from_raw(*errno)),
    };
    Err(run.reject().with("p", port).with("got", got).into())
}
