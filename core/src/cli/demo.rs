//! `qkdnm demo`: see `crate::demo`. Here are its arguments, Ctrl-C, the log file and the exit code.

use std::{fs::File, future::Future, io, net::SocketAddr, path::PathBuf, pin::Pin, time::Duration};

use clap::Args;

use crate::{
    config::{Config, LogConfig, quantity},
    demo::{self, DemoError, DemoManager, DemoOptions, SHORTEST},
    manager,
    model::ReferencePoint,
};

/// Show a small QKD network and its manager at work, on this machine alone
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Examples:\n  qkdnm demo\n  qkdnm demo --federation --for 90s\n  qkdnm demo --for 60s --keep demo-site"
)]
pub struct DemoArgs {
    /// End after about this time, such as 90s (at least 60s); without it, go on until Ctrl-C
    #[arg(long = "for", value_name = "TIME", value_parser = length)]
    pub length: Option<Duration>,
    /// Show three domains whose managers are peers, instead of one network
    #[arg(long)]
    pub federation: bool,
    /// Seed of the network's noise
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Put certificates, configuration, data and log into this folder and leave them there
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

fn length(text: &str) -> Result<Duration, String> {
    let length = quantity::duration(text)?;
    if length < SHORTEST {
        return Err(format!("the story takes at least {}", quantity::show_duration(SHORTEST)));
    }
    Ok(length)
}

/// `qkdnm demo`, with the real manager.
pub fn command(args: &DemoArgs) -> super::CommandResult {
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_name("io").enable_all().build()?;
    let start = |config: Config| async {
        let running =
            manager::start(config, None).await.map_err(|error| format!("{:#}", anyhow::Error::from(error)))?;
        Ok(Box::new(running) as Box<dyn DemoManager>)
    };
    let code = runtime.block_on(run(args, start))?;
    Ok(if code == 0 { super::Exit::Success } else { super::Exit::Failure })
}

impl DemoManager for manager::Running {
    fn listens(&self, point: ReferencePoint) -> Option<SocketAddr> {
        self.interfaces.iter().find(|(known, _)| *known == point).and_then(|(_, addresses)| addresses.first().copied())
    }

    fn api(&self) -> SocketAddr {
        self.api
    }

    fn stop(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin((*self).stop())
    }
}

/// Shows the demo and says how it ended: 0 as it should, 1 not. `start` starts a manager.
pub async fn run<S, F>(args: &DemoArgs, start: S) -> Result<u8, DemoError>
where
    S: Fn(Config) -> F,
    F: Future<Output = Result<Box<dyn DemoManager>, String>>,
{
    let options = DemoOptions { length: args.length, seed: args.seed, keep: args.keep.clone(), speed: 1 };
    let stop = async {
        // Without a handler Ctrl-C ends the process at once, which is all right too.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let start = |config: Config| {
        log_into_file(&config);
        start(config)
    };
    let out = &mut io::stdout();
    let outcome = if args.federation {
        demo::federation::run(&options, start, stop, out).await?
    } else {
        demo::run(&options, start, stop, out).await?
    };
    Ok(u8::from(!outcome.is_good()))
}

/// The terminal belongs to the story: the log goes beside the data. A demo without a log is still a demo.
fn log_into_file(config: &Config) {
    let Some(folder) = config.manager.data_dir.parent() else { return };
    if let Ok(file) = File::create(folder.join("manager.log")) {
        let log = LogConfig { json: false, level: "info".to_owned() };
        let _ = crate::telemetry::logs::start_in(&log, file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_in_which_nothing_can_happen_are_refused() {
        assert_eq!(length("90s"), Ok(Duration::from_secs(90)));
        assert!(length("5s").unwrap_err().contains("at least 1m"));
        assert!(length("soon").is_err());
    }
}
