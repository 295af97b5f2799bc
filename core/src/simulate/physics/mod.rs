//! How well a QKD link does, from its length and its devices: the published model of BB84 with vacuum and weak decoy states.
//!
//! Figures of a [`Source`], a [`Channel`] and a [`Receiver`] make a [`Link`]; [`Effects`] are what is wrong with it;
//! [`Link::performance`] says what its modules show, under the names of the catalogue of values, and
//! [`Performance::observed`] what they show of it in a finite time. Equations are those of X. Ma, B. Qi, Y. Zhao and H.-K. Lo,
//! Phys. Rev. A 72, 012326 (2005), in the following "Ma et al. (2005)"; each says its number.
//!
//! Pure: numbers in, numbers out. Nothing here knows of components, reports, time or files.

pub mod channel;
pub mod decoy;
pub mod effects;
pub mod entropy;
pub mod fluctuation;
pub mod link;
pub mod performance;
pub mod receiver;
pub mod relay;
pub mod source;

pub use channel::Channel;
pub use effects::Effects;
pub use fluctuation::Statistics;
pub use link::Link;
pub use performance::Performance;
pub use receiver::Receiver;
pub use relay::{RelayPerformance, RelayPoint};
pub use source::Source;
