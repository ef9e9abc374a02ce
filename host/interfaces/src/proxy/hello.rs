//! The first message of TLS, read just far enough to know which host it is for.
//!
//! Invariants: nothing is read past [`MOST_HELLO_BYTES`]; every length is checked against what is
//! there; what could be read in two ways is [`Hello::NotTls`].

/// The most bytes of a first message with its record headers. Post-quantum keys make it about
/// 2 KiB long; servers refuse far shorter ones than this.
pub(super) const MOST_HELLO_BYTES: usize = 20 * 1024;
/// The most bytes of one TLS record (RFC 8446 §5.1).
const MOST_RECORD_BYTES: usize = 1 << 14;

/// What the first bytes of a tunnel say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hello {
    /// More bytes are needed.
    Partial,
    /// It is not a `ClientHello`, or not one that can be read in one way only.
    NotTls,
    /// It is one, for the server of this name if it says so.
    Tls(Option<String>),
}

/// Reads the beginning of a tunnel.
pub(super) fn read(bytes: &[u8]) -> Hello {
    match records(bytes) {
        Ok(Some(message)) => server_name(&message).map_or(Hello::NotTls, Hello::Tls),
        Ok(None) if bytes.len() < MOST_HELLO_BYTES => Hello::Partial,
        Ok(None) | Err(Malformed) => Hello::NotTls,
    }
}

struct Malformed;

/// Returns the whole `ClientHello` without record and handshake headers, once it is there. It may
/// be spread over several records.
fn records(bytes: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    let mut rest = bytes;
    let mut message = Vec::new();
    loop {
        // What can be judged is judged at once: a program that speaks first in another protocol is
        // not waited for.
        let known = [Some(22), Some(3)];
        if rest.iter().zip(known).any(|(byte, expected)| Some(*byte) != expected) {
            return Err(Malformed);
        }
        let Some((header, after)) = rest.split_at_checked(5) else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        if length == 0 || length > MOST_RECORD_BYTES {
            return Err(Malformed);
        }
        let here = after.len().min(length);
        message.extend_from_slice(&after[..here]);
        if message.first().is_some_and(|kind| *kind != 1) {
            return Err(Malformed);
        }
        if let Some((header, body)) = message.split_at_checked(4) {
            let needed =
                usize::from(header[1]) << 16 | usize::from(header[2]) << 8 | usize::from(header[3]);
            if needed > MOST_HELLO_BYTES || body.len() > needed {
                // Nothing may follow it before the server has answered.
                return Err(Malformed);
            }
            if body.len() == needed {
                // Only a record that ends with it: the rest of a longer one could be anything.
                return if here == length { Ok(Some(body.to_vec())) } else { Ok(None) };
            }
        }
        if here < length {
            return Ok(None);
        }
        rest = &after[length..];
    }
}

/// Takes lengths and what they count from the front of bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn short(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// Takes what a length of two bytes counts.
    fn counted(&mut self) -> Option<Self> {
        let length = self.short()?;
        self.take(usize::from(length)).map(Self)
    }

    /// Takes what a length of one byte counts.
    fn briefly_counted(&mut self) -> Option<Self> {
        let length = self.byte()?;
        self.take(usize::from(length)).map(Self)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Returns the server name of a `ClientHello` body, if it has one.
fn server_name(message: &[u8]) -> Result<Option<String>, Malformed> {
    let mut extensions = extensions(message).ok_or(Malformed)?;
    let mut name = None;
    while !extensions.is_empty() {
        let kind = extensions.short().ok_or(Malformed)?;
        let content = extensions.counted().ok_or(Malformed)?;
        if kind == 0 {
            if name.is_some() {
                return Err(Malformed);
            }
            name = Some(one_name(content).ok_or(Malformed)?);
        }
    }
    Ok(name)
}

/// Returns the extensions of a `ClientHello` body, which may have none.
fn extensions(message: &[u8]) -> Option<Reader<'_>> {
    let mut reader = Reader(message);
    reader.take(2 + 32)?; // version and random
    reader.briefly_counted()?; // session
    reader.counted()?; // cipher suites
    reader.briefly_counted()?; // compression
    if reader.is_empty() {
        return Some(reader);
    }
    let extensions = reader.counted()?;
    reader.is_empty().then_some(extensions)
}

/// Reads the extension `server_name` (RFC 6066 §3): a list that has exactly one host name.
fn one_name(mut content: Reader<'_>) -> Option<String> {
    let mut list = content.counted()?;
    let kind = list.byte()?;
    let name = list.counted()?;
    if !content.is_empty() || !list.is_empty() || kind != 0 {
        return None;
    }
    let text = std::str::from_utf8(name.0).ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (!text.is_empty() && text.bytes().all(plain)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
