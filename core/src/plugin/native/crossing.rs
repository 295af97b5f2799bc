//! What crosses the boundary: texts, lists and structures of a library read with their rules checked, and answers collected
//! within bounds.

use qkdn_plugin_abi::Text;

use crate::{config::limits, plugin::PluginFailure};

/// Copies a structure that begins with its size; `None` if it is shorter than the one this manager knows.
///
/// # Safety
/// `at` points to a structure that begins with a `usize`, its size, and is readable as far as that says.
pub(super) unsafe fn sized<T: Copy>(at: *const T) -> Option<T> {
    if at.is_null() {
        return None;
    }
    // SAFETY: the caller's promise; the whole is read only if its size says that it is there.
    unsafe { (*at.cast::<usize>() >= size_of::<T>()).then(|| *at) }
}

/// A text of the library; `None` if it is not UTF-8, or not there.
///
/// # Safety
/// `data` is readable for `length` bytes, or `length` is 0.
pub(super) unsafe fn text(text: Text) -> Option<String> {
    if text.length == 0 {
        return Some(String::new());
    }
    if text.data.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { std::slice::from_raw_parts(text.data, text.length) };
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

/// A list of the library.
///
/// # Safety
/// `at` points to `count` values, or `count` is 0.
pub(super) unsafe fn list<'a, T>(at: *const T, count: usize) -> &'a [T] {
    if count == 0 || at.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(at, count) }
}

/// Keeps an answer's parts within bounds. The first thing wrong is remembered; what comes after it is not kept.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    bytes: usize,
    parts: usize,
    wrong: Option<PluginFailure>,
}

impl Bounds {
    /// Whether another part may be kept.
    pub(super) fn part(&mut self) -> bool {
        self.parts += 1;
        if self.parts > limits::VERDICTS_PER_CALL + limits::BATCH_SAMPLES {
            self.refuse(PluginFailure::AnswerTooLarge(format!("answered with more than {} parts", self.parts - 1)));
        }
        self.wrong.is_none()
    }

    /// A text of the answer.
    ///
    /// # Safety
    /// As for [`text`].
    pub(super) unsafe fn text(&mut self, given: Text) -> String {
        self.bytes = self.bytes.saturating_add(given.length);
        if self.bytes > limits::PLUGIN_ANSWER_BYTES {
            self.refuse(PluginFailure::AnswerTooLarge(format!(
                "answered with more than {} bytes in one call",
                limits::PLUGIN_ANSWER_BYTES
            )));
        }
        if self.wrong.is_some() {
            return String::new();
        }
        // SAFETY: the caller's promise.
        unsafe { text(given) }.unwrap_or_else(|| {
            self.bad("a text of the answer is not UTF-8, or NULL with a length");
            String::new()
        })
    }

    /// The answer breaks a rule of the header.
    pub(super) fn bad(&mut self, what: &str) {
        self.refuse(PluginFailure::BadAnswer(what.to_owned()));
    }

    fn refuse(&mut self, failure: PluginFailure) {
        self.wrong.get_or_insert(failure);
    }

    /// Fails if anything was wrong.
    pub(super) fn check(self) -> Result<(), PluginFailure> {
        self.wrong.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkdn_plugin_abi::Host;
    use std::ffi::c_void;

    #[test]
    fn texts_are_read_with_their_rules() {
        // SAFETY: the texts are there, or have no length.
        unsafe {
            assert_eq!(text(Text::of("ä")).as_deref(), Some("ä"));
            assert_eq!(text(Text { data: std::ptr::null(), length: 0 }).as_deref(), Some(""));
            assert_eq!(text(Text { data: std::ptr::null(), length: 3 }), None);
            assert_eq!(text(Text { data: b"\xff".as_ptr(), length: 1 }), None);
        }
    }

    #[test]
    fn answers_are_bounded() {
        let mut bounds = Bounds::default();
        let long = "x".repeat(limits::PLUGIN_ANSWER_BYTES / 2 + 1);
        // SAFETY: the text is there.
        unsafe {
            assert_eq!(bounds.text(Text::of(&long)).len(), long.len());
            assert_eq!(bounds.text(Text::of(&long)), "");
        }
        assert!(!bounds.part());
        assert!(matches!(bounds.check(), Err(PluginFailure::AnswerTooLarge(_))));
    }

    unsafe extern "C" fn no_log(_: *mut c_void, _: Text, _: Text) {}

    #[test]
    fn a_structure_of_an_older_header_is_told_apart() {
        let host = Host { size: 8, context: std::ptr::null_mut(), log: no_log };
        // SAFETY: the structure is there, whatever its size says.
        unsafe {
            assert!(sized(&raw const host).is_none());
            assert!(sized(std::ptr::null::<Host>()).is_none());
        }
    }
}
