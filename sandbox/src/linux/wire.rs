//! What the sandbox's first process tells the host, and the host it: messages of 16 bytes over a
//! socket pair that keeps their bounds.

use super::prepared::{Carried, Script};
use super::step::{Failed, Step};
use super::sys::{self, Answer, Errno, process};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

/// One message to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// A step failed; nothing was started.
    Failed(Failed),
    /// The proxy's listener comes with this message.
    Listener,
    /// The program runs.
    Started,
    /// The program ended, as `wait` says it, and nothing it started is left.
    Ended(i32),
    /// The deadline passed, and nothing is left.
    Expired,
}

const SIZE: usize = 16;

/// Sends a message from the sandbox. Used after `clone`.
pub(super) fn tell(socket: RawFd, message: Message, carried: Option<RawFd>) -> Answer {
    process::send(socket, &encode(message), carried)
}

fn encode(message: Message) -> [u8; SIZE] {
    let words: [u32; 4] = match message {
        Message::Failed(failed) => {
            [1, failed.step.number(), failed.index, failed.errno.0.cast_unsigned()]
        }
        Message::Listener => [2, 0, 0, 0],
        Message::Started => [3, 0, 0, 0],
        Message::Ended(status) => [4, status.cast_unsigned(), 0, 0],
        Message::Expired => [5, 0, 0, 0],
    };
    let mut bytes = [0; SIZE];
    for (chunk, word) in bytes.chunks_exact_mut(4).zip(words) {
        chunk.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}

fn decode(bytes: &[u8]) -> Option<Message> {
    let bytes: &[u8; SIZE] = bytes.try_into().ok()?;
    let mut words = [0_u32; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = u32::from_ne_bytes(chunk.try_into().ok()?);
    }
    match words[0] {
        1 => Some(Message::Failed(Failed {
            step: Step::from_number(words[1])?,
            index: words[2],
            errno: Errno(words[3].cast_signed()),
        })),
        2 => Some(Message::Listener),
        3 => Some(Message::Started),
        4 => Some(Message::Ended(words[1].cast_signed())),
        5 => Some(Message::Expired),
        _ => None,
    }
}

/// Receives a message in the host: nothing when the sandbox is gone.
pub(super) fn hear(socket: BorrowedFd<'_>) -> Answer<Option<(Message, Option<OwnedFd>)>> {
    let mut bytes = [0_u8; SIZE];
    let mut control = [0_u64; 4];
    let mut vector = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: SIZE };
    // SAFETY: all-zero bytes are a valid `msghdr`.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a few bytes; the type differs between C libraries"
    )]
    let length = size_of_val(&control) as _;
    header.msg_controllen = length;
    let mut is_reset = false;
    let received = loop {
        // SAFETY: everything `header` points at is valid for writes of its stated length.
        let received =
            unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) };
        match usize::try_from(received) {
            Ok(received) => break received,
            Err(_) => match std::io::Error::last_os_error().raw_os_error() {
                Some(libc::EINTR) => {}
                // It went with something of the host's unread. That is told once, before what it
                // said last.
                Some(libc::ECONNRESET) if !is_reset => is_reset = true,
                errno => return Err(Errno(errno.unwrap_or(libc::EIO))),
            },
        }
    };
    let carried = carried(&header);
    if received == 0 {
        return Ok(None);
    }
    let message = decode(&bytes[..received]).ok_or(Errno(libc::EPROTO))?;
    Ok(Some((message, carried)))
}

fn carried(header: &libc::msghdr) -> Option<OwnedFd> {
    // SAFETY: the kernel filled the control buffer and set its length; the macros stay inside it.
    unsafe {
        let first = libc::CMSG_FIRSTHDR(header);
        if first.is_null()
            || (*first).cmsg_level != libc::SOL_SOCKET
            || (*first).cmsg_type != libc::SCM_RIGHTS
        {
            return None;
        }
        let descriptor = libc::CMSG_DATA(first).cast::<RawFd>().read_unaligned();
        // The kernel just gave this process the descriptor: nobody else owns it.
        (descriptor >= 0).then(|| OwnedFd::from_raw_fd(descriptor))
    }
}

/// What the host asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To start the program, in what is set up.
    Start,
    /// To forward this signal to the program.
    Forward(i32),
    /// To stop everything, until it is told to go on.
    Freeze,
    /// To let everything go on.
    Thaw,
}

/// Beyond every signal.
const FREEZE: i32 = 0x100;
const THAW: i32 = 0x101;
const START: i32 = 0x102;

/// Returns what the host asks for: nothing when the host is gone.
pub(super) fn asked(socket: RawFd) -> Option<Asked> {
    let mut bytes = [0_u8; 4];
    match sys::read(socket, &mut bytes) {
        Ok(4) => Some(match i32::from_ne_bytes(bytes) {
            FREEZE => Asked::Freeze,
            THAW => Asked::Thaw,
            START => Asked::Start,
            signal => Asked::Forward(signal),
        }),
        _ => None,
    }
}

/// Asks the sandbox for something.
pub(super) fn ask(socket: BorrowedFd<'_>, asked: Asked) -> Answer {
    let number = match asked {
        Asked::Forward(signal) => signal,
        Asked::Freeze => FREEZE,
        Asked::Thaw => THAW,
        Asked::Start => START,
    };
    process::send(socket.as_raw_fd(), &number.to_ne_bytes(), None)
}

/// How much of a script goes in one message; a socket takes some 200 KB at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Standard input, output and error, and the terminal.
const MOST_HANDED: usize = 4;

/// Returns a script as it is sent.
pub(super) fn encode_script(script: &Script) -> Answer<Vec<u8>> {
    postcard::to_allocvec(script).map_err(|_| Errno(libc::EINVAL))
}

/// Sends a first process that was forked ahead its script. `handed` are the descriptors that
/// `carried` has, in its order.
pub(super) fn send_script(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    carried: &Carried,
    handed: &[BorrowedFd<'_>],
) -> Answer {
    let size = u32::try_from(bytes.len()).map_err(|_| Errno(libc::E2BIG))?;
    let has = carried.all().map(|one| u8::from(one.is_some()));
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_HANDED))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !handed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(handed)) {
        return Err(Errno(libc::E2BIG));
    }
    let size = size.to_ne_bytes();
    let head = [IoSlice::new(&size), IoSlice::new(&has)];
    let send = || sendmsg(socket, &head, &mut control, SendFlags::NOSIGNAL);
    rustix::io::retry_on_intr(send).map_err(errno)?;
    for chunk in bytes.chunks(CHUNK_BYTES) {
        process::send(socket.as_raw_fd(), chunk, None)?;
    }
    Ok(())
}

/// Receives what [`send_script`] sent: nothing when the host is gone, or when it is not whole.
///
/// Allocates: only for a process that was copied from one with a single thread.
pub(super) fn receive_script(socket: RawFd) -> Option<(Script, Carried)> {
    // SAFETY: the caller's socket stays open all its life.
    let socket = unsafe { BorrowedFd::borrow_raw(socket) };
    let (mut size, mut has) = ([0; 4], [0; MOST_HANDED]);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_HANDED))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut head = [IoSliceMut::new(&mut size), IoSliceMut::new(&mut has)];
    let received = rustix::io::retry_on_intr(|| {
        recvmsg(socket, &mut head, &mut control, RecvFlags::CMSG_CLOEXEC)
    });
    if received.ok()?.bytes != size.len() + has.len() {
        return None;
    }
    let rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let mut handed = rights.flatten().map(IntoRawFd::into_raw_fd);
    let mut all = [None; MOST_HANDED];
    for (one, has) in all.iter_mut().zip(has) {
        if has != 0 {
            *one = Some(handed.next()?);
        }
    }
    let [input, output, error, terminal] = all;
    let carried = Carried { stdio: [input, output, error], terminal };
    let mut bytes = vec![0; usize::try_from(u32::from_ne_bytes(size)).ok()?];
    for chunk in bytes.chunks_mut(CHUNK_BYTES) {
        if sys::read(socket.as_raw_fd(), chunk) != Ok(chunk.len()) {
            return None;
        }
    }
    Some((postcard::from_bytes(&bytes).ok()?, carried))
}

fn errno(errno: rustix::io::Errno) -> Errno {
    Errno(errno.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::super::prepared::{Executable, From, Mount, Piece, Ruleset, Stage, Strings};
    use super::*;
    use std::ffi::CString;
    use std::os::fd::AsFd;

    #[test]
    fn every_message_survives_the_way() {
        let failed = Step::Overlay.failed_at(7, Errno(22));
        let messages = [
            Message::Failed(failed),
            Message::Listener,
            Message::Started,
            Message::Ended(0x8b),
            Message::Expired,
        ];
        for message in messages {
            assert_eq!(decode(&encode(message)), Some(message));
        }
        for bad in [&[0_u8; 16][..], &[9; 16], &[], &[1, 0, 0, 0]] {
            assert_eq!(decode(bad), None);
        }
    }
    /// Sends what `prepare` could make over a socket and returns what came out.
    fn sent(script: &Script, carried: &Carried, handed: &[BorrowedFd<'_>]) -> (Script, Carried) {
        let (ours, theirs) = crate::linux::running::socket_pair().unwrap();
        let bytes = encode_script(script).unwrap();
        std::thread::scope(|scope| {
            // A script may be larger than what the socket takes at once.
            scope.spawn(|| send_script(ours.as_fd(), &bytes, carried, handed).unwrap());
            receive_script(theirs.as_raw_fd()).unwrap()
        })
    }

    #[test]
    fn a_script_survives_the_way_whatever_its_size() {
        let text = |text: &str| CString::new(text).unwrap();
        let mount = |number: u64| Mount {
            source: text("/usr"),
            from: From::PartOfStage,
            target: text("usr"),
            attributes: 1,
            rights: 2,
            expected: Some((number, 4)),
            tree: -1,
        };
        let script = |mounts: u64| Script {
            most_pids: Some(b"301".to_vec()),
            listener_port: Some(3128),
            mounts: (0..mounts).map(mount).collect(),
            stage: Some(Stage { layers: ["l", "u", "w"].map(text), in_parts: true }),
            layout: vec![
                Piece::Text(text("etc/hosts"), b"\0\xff".to_vec()),
                Piece::Link { at: text("bin"), target: text("usr/bin") },
                Piece::Mount(0),
            ],
            ruleset: Ruleset { network: 3, connect_port: None },
            working_directory: CString::new(b"/not utf-8 \xff".to_vec()).unwrap(),
            program: Executable {
                path: text("/bin/true"),
                identity: (1, u64::MAX),
                argv: Strings::new(vec![text("true"), text("")]),
                environment: Strings::default(),
            },
            limits: vec![(7, u64::MAX)],
            deadline: Some(std::time::Duration::from_millis(1)),
            filter: vec![libc::sock_filter { code: 0x20, jt: 1, jf: 255, k: u32::MAX }],
            without: crate::linux::danger::Without::default(),
        };
        for mounts in [0, 1, 20_000] {
            let script = script(mounts);
            let (out, _) = sent(&script, &Carried::default(), &[]);
            // Where the texts lie differs.
            let shown = |script: &Script| {
                let text = format!("{script:?}");
                text.split("pointers: [")
                    .map(|part| part.split_once(']').map_or(part, |(_, rest)| rest))
                    .collect::<String>()
            };
            assert_eq!(shown(&out), shown(&script));
        }
    }

    #[test]
    fn descriptors_come_out_where_they_went_in() {
        let (read, write) = std::io::pipe().unwrap();
        let carried = Carried {
            stdio: [None, Some(write.as_raw_fd()), None],
            terminal: Some(read.as_raw_fd()),
        };
        let handed = [write.as_fd(), read.as_fd()];
        let (_, out) = sent(&Script::default(), &carried, &handed);
        let Carried { stdio: [None, Some(output), None], terminal: Some(terminal) } = out else {
            panic!("{out:?}");
        };
        // SAFETY: the message gave this process both.
        let [mut output, mut terminal] =
            [output, terminal].map(|fd| unsafe { std::fs::File::from_raw_fd(fd) });
        std::io::Write::write_all(&mut output, b"x").unwrap();
        let mut byte = [0];
        std::io::Read::read_exact(&mut terminal, &mut byte).unwrap();
        assert_eq!(byte, *b"x");
    }

    #[test]
    fn half_a_script_is_none() {
        let (ours, theirs) = crate::linux::running::socket_pair().unwrap();
        process::send(ours.as_raw_fd(), &[9, 0, 0, 0, 0, 0, 0, 0], None).unwrap();
        process::send(ours.as_raw_fd(), b"short", None).unwrap();
        assert!(receive_script(theirs.as_raw_fd()).is_none());
        drop(ours);
        assert!(receive_script(theirs.as_raw_fd()).is_none());
    }
}
