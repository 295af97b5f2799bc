//! How a command ends: its exit code, and what it says when it fails.

use std::{io, process::ExitCode};

/// How a command that did its work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0
    Success,
    /// 1: it worked, and the answer is no (a check that found something).
    Failure,
    /// 2: the configuration is not in order; what is wrong was said.
    NotInOrder,
    /// 3: an alarm stands that the caller asked about.
    AlarmStands,
    /// 3: two things that were compared are different.
    Differs,
    /// 4: a thread of the manager broke; it has to be started again.
    Broken,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Success => Self::SUCCESS,
            Exit::Failure => Self::FAILURE,
            Exit::NotInOrder => Self::from(2),
            Exit::AlarmStands | Exit::Differs => Self::from(3),
            Exit::Broken => Self::from(4),
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub enum CommandError {
    /// Exit code 2: the command line or the configuration is wrong.
    Usage(anyhow::Error),
    /// Exit code 1: everything else.
    Failure(anyhow::Error),
}

/// What a command returns.
pub type CommandResult = Result<Exit, CommandError>;

impl CommandError {
    /// The command line or the configuration is wrong.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    /// Says on standard error what went wrong, with all causes, and gives the exit code. A reader of our output that
    /// went away (`qkdnm alarm list | head -1`) is nothing to complain about.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        let (error, code) = match self {
            Self::Usage(error) => (error, ExitCode::from(2)),
            Self::Failure(error) => (error, ExitCode::FAILURE),
        };
        let pipe = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
        if error.downcast_ref::<io::Error>().is_some_and(pipe) {
            return ExitCode::SUCCESS;
        }
        eprintln!("error: {error:#}");
        code
    }
}

impl<E: Into<anyhow::Error>> From<E> for CommandError {
    fn from(error: E) -> Self {
        Self::Failure(error.into())
    }
}
