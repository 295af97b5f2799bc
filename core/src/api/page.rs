//! Lists in pages: a cursor says where the next page starts, so that a list may change between two pages without
//! anything being seen twice.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which part of a list is asked for. `C` is what the list is ordered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest<C> {
    /// Only what comes after this one; absent: from the start.
    pub after: Option<C>,
    /// At most so many items, never 0.
    pub limit: usize,
}

/// One page of a list. JSON form: `{"items":[...],"next":null}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page starts, to be sent back as `cursor`; absent on the last page.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The first `limit` of the items that are left; `cursor` is called for the last item of the page, if there are
    /// more. At most one item beyond the page is taken from the iterator.
    pub fn take(items: impl IntoIterator<Item = T>, limit: usize, cursor: impl FnOnce(&T) -> String) -> Self {
        let mut rest = items.into_iter();
        let items: Vec<T> = rest.by_ref().take(limit).collect();
        let next = if rest.next().is_some() { items.last().map(cursor) } else { None };
        Self { items, next }
    }

    /// A list that comes whole.
    #[must_use]
    pub const fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_page_has_no_next() {
        assert_eq!(Page::take(vec![1, 2], 2, ToString::to_string), Page { items: vec![1, 2], next: None });
        assert_eq!(Page::take(vec![1, 2, 3], 2, ToString::to_string).next.as_deref(), Some("2"));
        assert_eq!(Page::take(Vec::<u8>::new(), 2, ToString::to_string).next, None);
    }

    proptest! {
        #[test]
        fn pages_together_are_the_list(count in 0_u32..50, limit in 1_usize..10) {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let page = Page::take((0..count).filter(|n| after.is_none_or(|a| *n > a)), limit, ToString::to_string);
                prop_assert!(page.items.len() <= limit);
                seen.extend(page.items);
                let Some(next) = page.next else { break };
                after = Some(next.parse::<u32>().unwrap());
            }
            prop_assert_eq!(seen, (0..count).collect::<Vec<_>>());
        }
    }
}
