//! `--watch`: shows what a command prints again and again, when something changes at the manager or every so many seconds.
//!
//! A round is the same command line run anew; so whatever reads can be watched, and nothing else can. Between two rounds
//! the manager's events are followed, and where that does not work, time passes.

use std::{
    io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use clap::Parser as _;

use super::{ApiArgs, Cli, Client, CommandError, CommandResult, Exit, Output, dispatch};

/// Without events, and where the manager does not tell what changed: so often.
const WITHOUT_EVENTS: Duration = Duration::from_secs(5);
/// With events: no more often than this, however many come.
const AT_MOST_EVERY: Duration = Duration::from_millis(500);
/// With events: again after this, since not everything that is shown is told by one.
const AT_LEAST_EVERY: Duration = Duration::from_secs(10);

/// How a round is woken.
enum Wait {
    /// By events of the manager.
    Events(Receiver<()>),
    /// By time.
    Every(Duration),
}

/// Runs a command line again and again until interrupted, or for so many rounds.
pub(super) fn run(arguments: &[std::ffi::OsString], every: f64, rounds: Option<u64>) -> CommandResult {
    let cli = parse(arguments)?;
    if !cli.command.only_reads() {
        return Err(CommandError::usage(anyhow::anyhow!(
            "--watch is for commands that list or show what a manager knows, such as `qkdnm alarm list --watch`"
        )));
    }
    let wait = if every > 0.0 { Wait::Every(Duration::from_secs_f64(every)) } else { Wait::events(&cli.api) };
    if io::stdout().is_terminal() {
        write!(io::stdout(), "\x1b[2J")?;
    }
    let mut shown = 0;
    loop {
        let exit = round(parse(arguments)?)?;
        shown += 1;
        if rounds.is_some_and(|rounds| shown >= rounds) {
            return Ok(exit);
        }
        wait.pause();
    }
}

fn parse(arguments: &[std::ffi::OsString]) -> Result<Cli, CommandError> {
    Cli::try_parse_from(arguments).map_err(CommandError::usage)
}

/// One round: everything is there before the old picture goes, so that nothing flickers. A manager that cannot be reached
/// is told and tried again.
fn round(cli: Cli) -> CommandResult {
    let terminal = io::stdout().is_terminal();
    let mut printed = Vec::new();
    let (format, wide) = (cli.output, cli.wide);
    let result = dispatch(cli, &mut Output::buffered(&mut printed, format, terminal).wide(wide));
    let exit = match result {
        Ok(exit) => exit,
        Err(CommandError::Failure(error)) => {
            writeln!(printed, "error: {error:#}")?;
            Exit::Failure
        }
        Err(usage) => return Err(usage),
    };
    paint(&printed, terminal)?;
    Ok(exit)
}

/// Shows a round: over the one before on a terminal, behind it elsewhere.
pub(super) fn paint(printed: &[u8], terminal: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if terminal {
        // Home; each line is cleared behind its end, and what is below the last one.
        out.write_all(b"\x1b[H")?;
        for line in printed.split_inclusive(|byte| *byte == b'\n') {
            let (text, end) = line.strip_suffix(b"\n").map_or((line, &b""[..]), |text| (text, &b"\n"[..]));
            out.write_all(text)?;
            out.write_all(b"\x1b[K")?;
            out.write_all(end)?;
        }
        out.write_all(b"\x1b[J")?;
    } else {
        out.write_all(printed)?;
    }
    out.flush()
}

impl Wait {
    fn events(api: &ApiArgs) -> Self {
        let (sender, receiver) = sync_channel(1);
        let api = api.clone();
        thread::spawn(move || follow(&api, &sender));
        Self::Events(receiver)
    }

    fn pause(&self) {
        match self {
            Self::Every(time) => thread::sleep(*time),
            Self::Events(receiver) => {
                thread::sleep(AT_MOST_EVERY);
                if receiver.recv_timeout(AT_LEAST_EVERY) == Err(RecvTimeoutError::Disconnected) {
                    thread::sleep(WITHOUT_EVENTS);
                }
            }
        }
    }
}

/// Wakes once for however many events came since; goes on after a break of the connection.
fn follow(api: &ApiArgs, wake: &SyncSender<()>) {
    let Ok(client) = Client::new(api) else { return };
    loop {
        if let Ok(stream) = client.follow(&[]) {
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { break };
                // Full: a round is due already.
                if line.starts_with("event:") && wake.try_send(()).is_err_and(|error| is_gone(&error)) {
                    return;
                }
            }
        }
        thread::sleep(WITHOUT_EVENTS);
        if wake.try_send(()).is_err_and(|error| is_gone(&error)) {
            return;
        }
    }
}

const fn is_gone(error: &std::sync::mpsc::TrySendError<()>) -> bool {
    matches!(error, std::sync::mpsc::TrySendError::Disconnected(()))
}
