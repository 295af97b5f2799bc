//! The vocabulary of the manager: the nouns of draft Q.QKDN_Mk, RFC 8632 and PROTOCOL as plain values.
//!
//! Everything else uses these types; nothing here does I/O, knows a thread, a plugin or a file.
//!
//! | term | type | source |
//! |---|---|---|
//! | reference point | [`ReferencePoint`] | Q.QKDN_Mk clause 6 |
//! | component ID | [`ComponentId`], with its reference point [`ComponentRef`] | Q.QKDN_Mk table 1 |
//! | status report and its relatives | [`ReportBatch`], [`Response`] | Q.QKDN_Mk clauses 8.1 to 8.4 |
//! | value names, units, words, alarm types | [`Catalogue`] | the project's catalogue |
//! | alarm | [`Alarm`] | RFC 8632, X.733 |

pub mod alarm;
pub mod catalogue;
pub mod component_id;
pub mod disclosure;
pub mod enrolment;
pub mod peer_request;
pub mod reference_point;
pub mod report_batch;
pub mod response;
pub mod symbol;
pub mod timestamp;
pub mod unknown;

pub use alarm::{Alarm, AlarmKey, AlarmReport, OperatorState, Severity, StatusChange};
pub use catalogue::Catalogue;
pub use component_id::{ComponentId, ComponentRef};
pub use enrolment::{EnrolmentDecision, ShownCertificate, Verdict};
pub use reference_point::ReferencePoint;
pub use report_batch::{Fault, ObjectKind, ReportBatch, ReportHead, SampleKind};
pub use response::{ReasonCode, Refusal, Response};
pub use symbol::{Symbol, SymbolTable};
pub use timestamp::Timestamp;

/// Types of extension objects of the status protocol, section 4.
pub const OBJECT_TYPES: [&str; 7] = ["performance", "state", "inventory", "topology", "alarm", "usage", "event"];
