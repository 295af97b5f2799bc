//! The prompt for other terminals: lines over TCP, on the machine's own address. `nc` will do, and so will
//! `qkdnm simulate FILE --site DIR --tell LINE`.
//!
//! Whoever is on the machine may use it: it can do nothing but disturb a network that is not there.

use std::{io, net::SocketAddr, path::Path, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc, oneshot},
};

use super::Asked;

/// File in the site's folder that has the address.
pub const ADDRESS_FILE: &str = "simulate.control";
/// Ends an answer, so that a reader knows that nothing follows.
const END: &str = ".";
/// Terminals at a time.
const TERMINALS: usize = 16;
/// Longest line.
const LINE_BYTES: usize = 4_096;
/// An answer comes at once, or the simulation is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves terminals until the simulation no longer answers.
pub async fn serve(listener: TcpListener, ask: mpsc::Sender<Asked>) {
    let room = std::sync::Arc::new(Semaphore::new(TERMINALS));
    while let Ok(turn) = std::sync::Arc::clone(&room).acquire_owned().await {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ask.closed() => return,
        };
        if let Ok((stream, _)) = accepted {
            let ask = ask.clone();
            tokio::spawn(async move {
                let _ = terminal(stream, &ask).await;
                drop(turn);
            });
        }
    }
}

async fn terminal(stream: TcpStream, ask: &mpsc::Sender<Asked>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = tokio::io::AsyncReadExt::take(&mut read, LINE_BYTES as u64);
        if bounded.read_until(b'\n', &mut line).await? == 0 || line.last() != Some(&b'\n') {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        let (answer, answered) = oneshot::channel();
        if ask.send((text, answer)).await.is_err() {
            return Ok(());
        }
        let answer = answered.await.unwrap_or_else(|_| "error: the simulation is ending".to_owned());
        write.write_all(format!("{answer}\n{END}\n").as_bytes()).await?;
    }
}

/// Asks a simulation that runs elsewhere on this machine.
pub async fn tell(address: SocketAddr, line: &str) -> io::Result<String> {
    let asked = async {
        let (read, mut write) = TcpStream::connect(address).await?.into_split();
        write.write_all(format!("{}\n", line.replace('\n', " ")).as_bytes()).await?;
        let (mut lines, mut answer) = (BufReader::new(read).lines(), Vec::new());
        while let Some(line) = lines.next_line().await?.filter(|line| line != END) {
            answer.push(line);
        }
        Ok(answer.join("\n"))
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Reads the address that a simulation left in its site's folder.
pub fn address_of(site: &Path) -> io::Result<SocketAddr> {
    let text = std::fs::read_to_string(site.join(ADDRESS_FILE))?;
    text.trim().parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it holds no address"))
}
