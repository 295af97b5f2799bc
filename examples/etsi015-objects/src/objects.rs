//! The objects of the module, one by one, and its notifications.

use serde_json::Value;

use crate::reading::{Reading, Unit};
use crate::{Finding, Says, Wrong, plain};

const INTERFACE_STATUS: &[&str] = &["ENABLED", "DISABLED", "FAILED"];
const NODE_STATUS: &[&str] = &["NEW", "OPERATING", "DOWN", "FAILURE", "OUT"];
const LINK_STATUS: &[&str] = &["ACTIVE", "PASSIVE", "PENDING", "OFF"];
const APP_STATUS: &[&str] = &["ON", "DISCONNECTED", "OUT-OF-TIME", "ZOMBIE"];
const SEVERITIES: &[&str] = &["MAJOR", "MINOR"];

/// Says of the node itself, not of what it contains.
///
/// # Errors
/// What is wrong with it.
pub fn node(value: &Value) -> Result<Vec<Finding>, Wrong> {
    let mut node = Reading::new(value, "")?;
    node.say_word("qkdn_status", NODE_STATUS)?;
    node.say_fact("qkdn_id", "node_id")?;
    node.say_fact("qkdn_version", "software_version")?;
    node.say_fact("qkdn_location_id", "location_id")?;
    Ok(node.findings)
}

/// `qkd_interface`: a QKD module as its node sees it.
///
/// # Errors
/// What is wrong with it.
pub fn interface(value: &Value) -> Result<Vec<Finding>, Wrong> {
    let mut interface = Reading::new(value, "")?;
    interface.resource = interface_name(&interface)?;
    interface.say_word("qkdi_status", INTERFACE_STATUS)?;
    interface.say_fact("qkdi_id", "interface_id")?;
    interface.say_fact("qkdi_model", "model")?;
    interface.say_fact("qkdi_type", "qkd_type")?;
    if let Some(mut can) = interface.object("qkdi_capabilities")? {
        can.say_fact("role_support", "role_support")?;
        can.say_fact("wavelength_range", "wavelength_channels")?;
        interface.findings.append(&mut can.findings);
    }
    Ok(interface.findings)
}

/// `qkd_link`, with its `common_performance`.
///
/// # Errors
/// What is wrong with it.
pub fn link(value: &Value, qber: Unit) -> Result<Vec<Finding>, Wrong> {
    let mut link = Reading::new(value, "")?;
    link.resource = required(&link, "qkdl_id")?;
    if let Some(status) = link.say_word("qkdl_status", LINK_STATUS)?.filter(|status| *status == "ACTIVE") {
        let text = format!("the node says that the link is {status}");
        link.say(Says::Alarm { alarm_type: "link-down", severity: None, text });
    }
    link.say_fact("qkdl_id", "link_id")?;
    link.say_fact("qkdl_type", "link_type")?;
    link.say_number("phys_channel_att", "link_loss_db")?;
    performance(&mut link, qber)?;
    Ok(link.findings)
}

/// `common_performance` stands in the link, or in a container of its own.
fn performance(link: &mut Reading<'_>, qber: Unit) -> Result<(), Wrong> {
    if let Some(mut inner) = link.object("common_performance")? {
        performance(&mut inner, qber)?;
        link.findings.append(&mut inner.findings);
    }
    link.say_number("expected_consumption", "expected_consumption_bps")?;
    link.say_number("skr", "secret_key_rate_bps")?;
    link.say_number("eskr", "effective_secret_key_rate_bps")?;
    for mut one in link.list("phys_perf")? {
        match one.word("perf_type", &["QBER", "SNR"])? {
            Some("QBER") => {
                let Some(value) = one.number("value")? else { return Err(one.wrong("value", "is missing")) };
                let ratio = if qber == Unit::Percent { value / 100.0 } else { value };
                if !(0.0..=1.0).contains(&ratio) {
                    let hint = if qber == Unit::Ratio && (1.0..=100.0).contains(&value) {
                        "; if the device means percent, set qber_unit = \"percent\""
                    } else {
                        ""
                    };
                    return Err(one.wrong("value", format!("a QBER of {value} is no share of bits{hint}")));
                }
                one.say(Says::Number("qber_ratio", ratio));
            }
            Some(_) => {
                let value = one.number("value")?.ok_or_else(|| one.wrong("value", "is missing"))?;
                one.say(Says::Number("snr_db", value));
            }
            None => return Err(one.wrong("perf_type", "is missing")),
        }
        link.findings.append(&mut one.findings);
    }
    Ok(())
}

/// `qkd_app`: an application that consumes key, with its statistics.
///
/// # Errors
/// What is wrong with it.
pub fn application(value: &Value) -> Result<Vec<Finding>, Wrong> {
    let mut app = Reading::new(value, "")?;
    app.resource = required(&app, "app_id")?;
    app.say_word("app_status", APP_STATUS)?;
    if let Some(statistics) = app.object("app_statistics")? {
        for period in statistics.list("statistics")? {
            let (start, end) = (required(&period, "start_time")?, required(&period, "end_time")?);
            let consumed =
                period.number("consumed_bits")?.ok_or_else(|| period.wrong("consumed_bits", "is missing"))?;
            if consumed < 0.0 {
                return Err(period.wrong("consumed_bits", format!("{consumed} is less than 0")));
            }
            // A counter of bits: whole, and far below where this rounds.
            app.say(Says::Usage { start, end, consumed: consumed as u64 });
        }
    }
    Ok(app.findings)
}

/// A notification of the module, by its name. `None`: nothing is to be said of this one.
///
/// # Errors
/// What is wrong with it.
pub fn notification(name: &str, value: &Value, qber: Unit) -> Result<Option<Vec<Finding>>, Wrong> {
    let content = match value.get(plain(name)) {
        // The content stands beside the name, or inside a member of that name.
        Some(inner) if inner.is_object() => inner,
        _ => value,
    };
    match plain(name) {
        "sdqkdn_link_down" => {
            ended(content, "qkdl_id", Says::Word("qkdl_status", "OFF"), "link-down", "link").map(Some)
        }
        "sdqkdn_interface_down" => interface_ended(content).map(Some),
        "sdqkdn_interface_new" => interface(first(content, "qkd_interface")).map(Some),
        "sdqkdn_link_perf_update" | "sdqkdn_link_overloaded" => {
            link(first(first(content, "performance"), "qkd_link"), qber).map(Some)
        }
        "sdqkdn_application_disconnected" => {
            let app = Reading::new(first(content, "qkd_application"), "")?;
            let says = Says::Word("app_status", "DISCONNECTED");
            Ok(Some(vec![Finding { resource: required(&app, "app_id")?, says }]))
        }
        "alarm" => conditions(content, true).map(Some),
        "event" => conditions(content, false).map(Some),
        _ => Ok(None),
    }
}

/// A member that wraps the content, where there is one.
fn first<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).filter(|inner| inner.is_object()).unwrap_or(value)
}

fn required(object: &Reading<'_>, key: &str) -> Result<String, Wrong> {
    object.text(key)?.filter(|text| !text.is_empty()).ok_or_else(|| object.wrong(key, "is missing"))
}

fn interface_name(object: &Reading<'_>) -> Result<String, Wrong> {
    Ok(format!("interface-{}", required(object, "qkdi_id")?))
}

fn ended(value: &Value, id: &str, state: Says, alarm_type: &'static str, kind: &str) -> Result<Vec<Finding>, Wrong> {
    let mut object = Reading::new(first(value, &format!("qkd_{kind}")), "")?;
    object.resource = required(&object, id)?;
    let reason = object.text("reason")?.unwrap_or_else(|| "no reason is given".to_owned());
    object.say(state);
    let severity = Some("critical");
    object.say(Says::Alarm { alarm_type, severity, text: format!("the node says that the {kind} is down: {reason}") });
    Ok(object.findings)
}

fn interface_ended(value: &Value) -> Result<Vec<Finding>, Wrong> {
    let state = Says::Word("qkdi_status", "FAILED");
    let mut findings = ended(value, "qkdi_id", state, "module-failed", "interface")?;
    findings.iter_mut().for_each(|finding| finding.resource = format!("interface-{}", finding.resource));
    Ok(findings)
}

/// `alarm` and `event`: what is so of a link, an interface or an application, with two severities.
fn conditions(value: &Value, is_alarm: bool) -> Result<Vec<Finding>, Wrong> {
    let whole = Reading::new(value, "")?;
    let mut findings = Vec::new();
    let kinds = [
        ("link", "qkdl_id", "qkdl_status", LINK_STATUS, "etsi015-link-alarm"),
        ("interface", "qkdi_id", "qkdi_status", INTERFACE_STATUS, "etsi015-interface-alarm"),
        ("application", "app_id", "app_status", APP_STATUS, "etsi015-application-alarm"),
    ];
    for (kind, id, state, words, alarm_type) in kinds {
        let Some(mut one) = whole.object(kind)? else { continue };
        one.resource = if kind == "interface" { interface_name(&one)? } else { required(&one, id)? };
        let status = one.word("status", words)?;
        if let Some(word) = status {
            one.say(Says::Word(state, word));
        }
        if is_alarm {
            let text = one.text("message")?.unwrap_or_else(|| format!("the node alarms about the {kind}"));
            // Good again is what the standard's list of words begins with.
            let is_over = status.is_some() && status == words.first().copied();
            let severity = match one.word("severity", SEVERITIES)? {
                _ if is_over => None,
                Some("MINOR") => Some("minor"),
                _ => Some("major"),
            };
            one.say(Says::Alarm { alarm_type, severity, text });
        }
        findings.append(&mut one.findings);
    }
    if findings.is_empty() {
        return Err(Wrong {
            path: String::new(),
            message: "expected a link, interface or application in it".to_owned(),
        });
    }
    Ok(findings)
}
