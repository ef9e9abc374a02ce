//! What the sandbox's first process tells the host, and the host it: messages of 16 bytes over a
//! socket pair that keeps their bounds.

use super::step::{Failed, Step};
use super::sys::{self, Answer, Errno, process};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

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
    let received = loop {
        // SAFETY: everything `header` points at is valid for writes of its stated length.
        let received =
            unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) };
        match usize::try_from(received) {
            Ok(received) => break received,
            Err(_) => match std::io::Error::last_os_error().raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::ECONNRESET) => return Ok(None),
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

/// Returns what the host asks for: nothing when the host is gone.
pub(super) fn asked(socket: RawFd) -> Option<Asked> {
    let mut bytes = [0_u8; 4];
    match sys::read(socket, &mut bytes) {
        Ok(4) => Some(match i32::from_ne_bytes(bytes) {
            FREEZE => Asked::Freeze,
            THAW => Asked::Thaw,
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
    };
    process::send(socket.as_raw_fd(), &number.to_ne_bytes(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
