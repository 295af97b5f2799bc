//! The C ABI of native plugins as Rust declarations: a translation of `wit/v0.1/qkdn_plugin.h`, which says what each
//! structure and member means. Only declarations, so that both sides of the boundary (the manager, and the SDK for native
//! plugins in Rust) write them down once; a test compares every size and offset with what a C compiler makes of the header.

#![allow(missing_docs, reason = "the header documents each structure and member")]

use std::ffi::c_void;

/// Version of the ABI, `QKDN_ABI_VERSION`.
pub const ABI_VERSION: u32 = 1;

/// Name of the one function that a native plugin exports.
pub const ENTRY: &str = "qkdn_plugin_entry";

/// Type of that function.
pub type Entry = unsafe extern "C" fn(abi_version: u32) -> *const Plugin;

/// Declares structures as C lays them out, and a table of sizes and offsets to compare them with the header.
macro_rules! structures {
    ($($(#[$note:meta])* $name:ident = $c:ident { $($member:ident: $type:ty,)* })*) => {
        $(
            $(#[$note])*
            #[repr(C)]
            #[derive(Clone, Copy, Debug)]
            pub struct $name {
                $(pub $member: $type,)*
            }
        )*

        /// Each structure's name in C, its size, and the offset of each member.
        #[cfg(test)]
        fn layout() -> Vec<(&'static str, usize, Vec<(&'static str, usize)>)> {
            vec![$((
                stringify!($c),
                size_of::<$name>(),
                vec![$((stringify!($member), std::mem::offset_of!($name, $member)),)*],
            )),*]
        }
    };
}

structures! {
    /// UTF-8 text.
    Text = qkdn_text {
        data: *const u8,
        length: usize,
    }

    /// What a plugin may call while its instance exists.
    Host = qkdn_host {
        size: usize,
        context: *mut c_void,
        log: unsafe extern "C" fn(context: *mut c_void, level: Text, message: Text),
    }

    /// What a handler's `configure` may say.
    HandlerSetup = qkdn_handler_setup {
        size: usize,
        context: *mut c_void,
        problem: unsafe extern "C" fn(context: *mut c_void, path: Text, message: Text),
        name: unsafe extern "C" fn(context: *mut c_void, name: Text),
        object: unsafe extern "C" fn(context: *mut c_void, kind: Text),
        raw: unsafe extern "C" fn(context: *mut c_void),
    }

    /// A section-4 object that the decoder could not take over.
    Fault = qkdn_fault {
        report: u32,
        path: Text,
        message: Text,
    }

    /// An extension object of a report.
    ReportObject = qkdn_report_object {
        report: u32,
        index: u32,
        kind: Text,
        text: Text,
    }

    /// Status reports as parallel arrays.
    Reports = qkdn_reports {
        size: usize,
        report_count: usize,
        sample_count: usize,
        components: *const u32,
        offsets: *const u32,
        names: *const u32,
        resources: *const u32,
        values: *const f64,
        flags: *const u32,
        faults: *const Fault,
        fault_count: usize,
        objects: *const ReportObject,
        object_count: usize,
        raw: *const Text,
        raw_count: usize,
    }

    /// An alarm that a component raised or cleared itself.
    ComponentAlarm = qkdn_component_alarm {
        report: u32,
        resource: Text,
        alarm_type: Text,
        qualifier: Text,
        severity: Text,
        text: Text,
        event_type: Text,
        probable_cause: Text,
    }

    /// A sample in normal form.
    Sample = qkdn_sample {
        report: u32,
        name: u32,
        resource: Text,
        value: f64,
        kind: u32,
    }

    /// How a handler answers.
    Handled = qkdn_handled {
        size: usize,
        context: *mut c_void,
        refuse: unsafe extern "C" fn(context: *mut c_void, report: u32, reason: Text),
        alarm: unsafe extern "C" fn(context: *mut c_void, alarm: *const ComponentAlarm),
        sample: unsafe extern "C" fn(context: *mut c_void, sample: *const Sample),
    }

    /// An interface handler.
    Handler = qkdn_handler {
        size: usize,
        open: Option<unsafe extern "C" fn(host: *const Host) -> *mut c_void>,
        close: Option<unsafe extern "C" fn(instance: *mut c_void)>,
        configure: Option<unsafe extern "C" fn(instance: *mut c_void, reference_point: Text, config: Text, setup: *const HandlerSetup)>,
        bind: Option<unsafe extern "C" fn(instance: *mut c_void, names: *const u32, count: usize)>,
        handle: Option<unsafe extern "C" fn(instance: *mut c_void, reports: *const Reports, answer: *const Handled) -> i32>,
    }

    /// What a policy's `configure` may say.
    PolicySetup = qkdn_policy_setup {
        size: usize,
        context: *mut c_void,
        problem: unsafe extern "C" fn(context: *mut c_void, path: Text, message: Text),
        name: unsafe extern "C" fn(context: *mut c_void, name: Text),
        word: unsafe extern "C" fn(context: *mut c_void, word: Text),
        component: unsafe extern "C" fn(context: *mut c_void, component: Text),
        resource: unsafe extern "C" fn(context: *mut c_void, resource: Text),
        object: unsafe extern "C" fn(context: *mut c_void, kind: Text),
        object_resource: unsafe extern "C" fn(context: *mut c_void, member: Text),
        state_width: unsafe extern "C" fn(context: *mut c_void, width: u32),
        per_component: unsafe extern "C" fn(context: *mut c_void),
    }

    /// Symbols of what a policy named.
    Symbols = qkdn_symbols {
        size: usize,
        names: *const u32,
        name_count: usize,
        words: *const u32,
        word_count: usize,
        components: *const u32,
        component_count: usize,
        resources: *const u32,
        resource_count: usize,
    }

    /// An extension object of a subject.
    Object = qkdn_object {
        subject: u32,
        samples_before: u32,
        kind: Text,
        text: Text,
    }

    /// Samples and objects, as parallel arrays.
    Observations = qkdn_observations {
        size: usize,
        now: u64,
        subject_count: usize,
        sample_count: usize,
        components: *const u32,
        resources: *const u32,
        subject: *const u32,
        names: *const u32,
        values: *const f64,
        sample_resources: *const u32,
        objects: *const Object,
        object_count: usize,
    }

    /// A fact kept with an alarm.
    Fact = qkdn_fact {
        name: Text,
        value: Text,
    }

    /// An alarm to raise.
    Alarm = qkdn_alarm {
        size: usize,
        subject: u32,
        alarm_type: Text,
        qualifier: Text,
        severity: Text,
        text: Text,
        event_type: Text,
        probable_cause: Text,
        observed: *const f64,
        threshold: *const f64,
        repair_actions: *const Text,
        repair_action_count: usize,
        evidence: *const Fact,
        evidence_count: usize,
    }

    /// An alarm to clear.
    Clearance = qkdn_clearance {
        size: usize,
        subject: u32,
        alarm_type: Text,
        qualifier: Text,
        text: Text,
    }

    /// How a policy answers.
    Verdicts = qkdn_verdicts {
        size: usize,
        context: *mut c_void,
        raise: unsafe extern "C" fn(context: *mut c_void, alarm: *const Alarm),
        clear: unsafe extern "C" fn(context: *mut c_void, clearance: *const Clearance),
        timer: unsafe extern "C" fn(context: *mut c_void, subject: u32, at: u64),
        request: unsafe extern "C" fn(context: *mut c_void, subject: u32, names: *const Text, count: usize),
    }

    /// An FCAPS policy.
    Policy = qkdn_policy {
        size: usize,
        open: Option<unsafe extern "C" fn(host: *const Host) -> *mut c_void>,
        close: Option<unsafe extern "C" fn(instance: *mut c_void)>,
        configure: Option<unsafe extern "C" fn(instance: *mut c_void, config: Text, setup: *const PolicySetup)>,
        bind: Option<unsafe extern "C" fn(instance: *mut c_void, symbols: *const Symbols)>,
        evaluate: Option<unsafe extern "C" fn(instance: *mut c_void, seen: *const Observations, state: *mut f64, verdicts: *const Verdicts) -> i32>,
        on_time: Option<unsafe extern "C" fn(instance: *mut c_void, due: *const Observations, state: *mut f64, verdicts: *const Verdicts) -> i32>,
    }

    /// What a native plugin is.
    Plugin = qkdn_plugin {
        size: usize,
        abi_version: u32,
        name: Text,
        version: Text,
        summary: Text,
        config_schema: Text,
        handler: *const Handler,
        policy: *const Policy,
    }
}

impl Text {
    /// A text that lives at least as long as whoever gets this looks at it.
    #[must_use]
    pub const fn of(text: &str) -> Self {
        Self { data: text.as_ptr(), length: text.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;
    use std::{fs, path::Path, process::Command};

    /// A C compiler lays the header out as this crate does.
    #[test]
    fn declarations_agree_with_the_header() {
        let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/v0.1/qkdn_plugin.h");
        let declared = fs::read_to_string(&header).unwrap();
        let mut program =
            format!("#include {:?}\n_Static_assert(QKDN_ABI_VERSION == {ABI_VERSION}, \"version\");\n", header);
        let layout = layout();
        assert_eq!(declared.matches("typedef struct ").count(), layout.len(), "a structure is missing");
        for (name, size, members) in layout {
            writeln!(program, "_Static_assert(sizeof({name}) == {size}, \"size of {name}\");").unwrap();
            for (member, offset) in members {
                let what = format!("{name}.{member}");
                writeln!(program, "_Static_assert(offsetof({name}, {member}) == {offset}, \"{what}\");").unwrap();
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("layout.c");
        fs::write(&source, program).unwrap();
        let output = Command::new("cc")
            .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"])
            .arg(&source)
            .output()
            .expect("the test needs a C compiler, `cc`");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
