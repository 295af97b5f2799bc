//! Lines out of a stream of bytes.
//!
//! In comes what one read brought, in a buffer that all connections of a thread share, and the connection's carry, which
//! holds nothing but the beginning of an unfinished line. Out come frames that borrow from either. No byte is searched
//! twice, and the limit is enforced before the carry grows beyond it. What a line says is not known here.

use crate::config::limits::CARRY_KEPT_BYTES;

/// What stands between two line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A line without its LF, and without one CR before that.
    Line(&'a [u8]),
    /// An empty line: the peer is alive, nothing else.
    Empty,
    /// The line is longer than allowed, or will be. Nothing follows; the connection is to be closed.
    TooLarge,
}

/// The frames of one read. Whatever is left unfinished goes to the carry when the last frame has been taken.
#[derive(Debug)]
pub struct Frames<'a> {
    chunk: &'a [u8],
    carry: &'a mut Vec<u8>,
    max_line_bytes: usize,
    /// The frame handed out last lies in the carry.
    carry_taken: bool,
}

impl<'a> Frames<'a> {
    /// Frames of `carry` and `chunk` together.
    pub fn new(chunk: &'a [u8], carry: &'a mut Vec<u8>, max_line_bytes: usize) -> Self {
        Self { chunk, carry, max_line_bytes, carry_taken: false }
    }

    /// The next frame; `None` when more bytes are needed.
    pub fn next_frame(&mut self) -> Option<Frame<'_>> {
        if std::mem::take(&mut self.carry_taken) {
            empty(self.carry);
        }
        let Some(length) = memchr::memchr(b'\n', self.chunk) else { return self.keep_rest() };
        let (line, rest) = self.chunk.split_at(length);
        let rest = rest.get(1..).unwrap_or_default();
        if self.carry.len() + length > self.max_line_bytes {
            return self.too_large();
        }
        self.chunk = rest;
        if self.carry.is_empty() {
            return Some(frame(line));
        }
        grow(self.carry, line, self.max_line_bytes);
        self.carry_taken = true;
        Some(frame(self.carry))
    }

    fn keep_rest(&mut self) -> Option<Frame<'_>> {
        if self.carry.len() + self.chunk.len() > self.max_line_bytes {
            return self.too_large();
        }
        grow(self.carry, self.chunk, self.max_line_bytes);
        self.chunk = &[];
        None
    }

    fn too_large(&mut self) -> Option<Frame<'_>> {
        self.chunk = &[];
        empty(self.carry);
        Some(Frame::TooLarge)
    }
}

fn frame(line: &[u8]) -> Frame<'_> {
    match line.strip_suffix(b"\r").unwrap_or(line) {
        [] => Frame::Empty,
        line => Frame::Line(line),
    }
}

/// Appends, doubling the room but never beyond the longest line.
fn grow(carry: &mut Vec<u8>, bytes: &[u8], max_line_bytes: usize) {
    let needed = carry.len() + bytes.len();
    if needed > carry.capacity() {
        let room = carry.capacity().saturating_mul(2).min(max_line_bytes).max(needed);
        carry.reserve_exact(room - carry.len());
    }
    carry.extend_from_slice(bytes);
}

/// Empties the carry. A connection that once had a long line does not hold the room for it for good.
fn empty(carry: &mut Vec<u8>) {
    if carry.capacity() > CARRY_KEPT_BYTES {
        *carry = Vec::new();
    } else {
        carry.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A frame as an owned value: a line, `None` where it is empty, an error where it is too large.
    type Seen = Result<Option<Vec<u8>>, ()>;

    /// Frames of a stream that arrives in the given pieces, and what is left in the carry.
    fn frames(pieces: &[&[u8]], limit: usize) -> (Vec<Seen>, Vec<u8>) {
        let (mut carry, mut seen) = (Vec::new(), Vec::new());
        for piece in pieces {
            let mut frames = Frames::new(piece, &mut carry, limit);
            while let Some(frame) = frames.next_frame() {
                match frame {
                    Frame::Line(line) => seen.push(Ok(Some(line.to_vec()))),
                    Frame::Empty => seen.push(Ok(None)),
                    Frame::TooLarge => {
                        seen.push(Err(()));
                        return (seen, carry);
                    }
                }
            }
            assert!(carry.len() <= limit && carry.capacity() <= limit.max(8));
        }
        (seen, carry)
    }

    fn line(text: &str) -> Seen {
        Ok(Some(text.as_bytes().to_vec()))
    }

    #[test]
    fn lines_empty_lines_and_carriage_returns() {
        let (seen, carry) = frames(&[b"a\nb\r\n\n\r\n\r\r\nc d\nrest"], 64);
        assert_eq!(seen, [line("a"), line("b"), Ok(None), Ok(None), line("\r"), line("c d")]);
        assert_eq!(carry, b"rest", "an unfinished line waits, and is dropped with the connection");
    }

    #[test]
    fn limit_counts_the_line_without_its_line_feed() {
        assert_eq!(frames(&[b"12345678\n"], 8).0, [line("12345678")]);
        assert_eq!(frames(&[b"1234567\r\n"], 8).0, [line("1234567")]);
        assert_eq!(frames(&[b"12345678\r\n"], 8).0, [Err(())]);
        assert_eq!(frames(&[b"123456789\n"], 8).0, [Err(())]);
        assert_eq!(frames(&[b"1234", b"5678", b"\n"], 8).0, [line("12345678")]);
        assert_eq!(frames(&[b"1234", b"56789"], 8).0, [Err(())], "not only when the line feed comes");
        assert_eq!(frames(&[b"ok\n123456789\nnever\n"], 8).0, [line("ok"), Err(())]);
    }

    #[test]
    fn room_of_a_long_line_is_given_back() {
        let mut carry = Vec::new();
        let long = vec![b'x'; CARRY_KEPT_BYTES + 1];
        assert_eq!(Frames::new(&long, &mut carry, 1 << 20).next_frame(), None);
        let mut frames = Frames::new(b"\nab", &mut carry, 1 << 20);
        assert_eq!(frames.next_frame(), Some(Frame::Line(long.as_slice())));
        assert_eq!(frames.next_frame(), None);
        assert_eq!(carry, b"ab");
        assert!(carry.capacity() <= CARRY_KEPT_BYTES);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            stream in prop::collection::vec(prop_oneof![3 => Just(b'\n'), 2 => Just(b'\r'), 8 => any::<u8>()], 0..120),
            mut cuts in prop::collection::vec(0_usize..120, 0..12),
            limit in 1_usize..40,
        ) {
            let whole = frames(&[&stream], limit);
            cuts.iter_mut().for_each(|cut| *cut = (*cut).min(stream.len()));
            cuts.sort_unstable();
            let (mut pieces, mut start) = (Vec::new(), 0);
            for cut in cuts {
                pieces.push(&stream[start..cut]);
                start = cut;
            }
            pieces.push(&stream[start..]);
            prop_assert_eq!(frames(&pieces, limit), whole);
        }
    }
}
