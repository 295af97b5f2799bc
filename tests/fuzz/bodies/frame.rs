//! A stream of bytes gives the same frames however it is cut; the carry never outgrows the longest line.

use qkdn_manager::wire::{Frame, Frames};

const LIMIT: usize = 100;

/// Lines; `None` for one that is too large, after which there are no more.
fn lines<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Option<Vec<u8>>> {
    let (mut carry, mut lines) = (Vec::new(), Vec::new());
    for piece in pieces {
        let mut frames = Frames::new(piece, &mut carry, LIMIT);
        while let Some(frame) = frames.next_frame() {
            match frame {
                Frame::Line(line) => lines.push(Some(line.to_vec())),
                Frame::Empty => lines.push(Some(Vec::new())),
                Frame::TooLarge => {
                    lines.push(None);
                    return lines;
                }
            }
        }
        assert!(carry.capacity() <= LIMIT);
    }
    lines
}

/// One input: how the stream is cut, and the stream.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn check(input: (u8, &[u8])) {
    let (cut, stream) = input;
    let whole = lines(std::iter::once(stream));
    assert_eq!(whole, lines(stream.chunks(usize::from(cut).max(1))));
    assert!(whole.iter().flatten().all(|line| line.len() <= LIMIT && !line.contains(&b'\n')));
}
