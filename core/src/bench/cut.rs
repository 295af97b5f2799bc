//! A relay for TCP that can be cut: while it is, what goes through it is closed and nothing new is let in. It knows bytes alone.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// A relay in front of one address. It lives as long as the process, as its threads do.
#[derive(Clone, Debug)]
pub struct Relay {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    is_cut: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// A relay on a free port of the loopback address to `target`, which need not listen yet.
    pub fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let relay = Self { address: listener.local_addr()?, state: Arc::default() };
        let state = Arc::clone(&relay.state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever called sees its connection closed, and calls again.
                let _closed = state.pass(stream, target);
            }
        });
        Ok(relay)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes what goes through and lets nothing in.
    pub fn cut(&self) {
        self.state.is_cut.store(true, Ordering::SeqCst);
        for stream in self.state.streams().drain(..) {
            // It may be closed already.
            let _closed = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets everything through again.
    pub fn heal(&self) {
        self.state.is_cut.store(false, Ordering::SeqCst);
    }
}

impl State {
    fn streams(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(&self, near: TcpStream, target: SocketAddr) -> io::Result<()> {
        if self.is_cut.load(Ordering::SeqCst) {
            return Ok(());
        }
        let far = TcpStream::connect(target)?;
        let mut streams = self.streams();
        for stream in [&near, &far] {
            stream.set_nodelay(true)?;
            streams.push(stream.try_clone()?);
        }
        drop(streams);
        for (from, to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
            std::thread::spawn(move || {
                let (mut reader, mut writer) = (&from, &to);
                // Either end may close at any time; the other is to learn it.
                let _ended = io::copy(&mut reader, &mut writer);
                let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};

    #[test]
    fn passes_until_it_is_cut_and_again_afterwards() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Relay::start(server.local_addr().unwrap()).unwrap();
        std::thread::spawn(move || {
            for mut stream in server.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
                });
            }
        });
        let mut byte = [0];
        let mut before = TcpStream::connect(relay.address()).unwrap();
        before.write_all(b"a").unwrap();
        before.read_exact(&mut byte).unwrap();
        relay.cut();
        assert!(!before.read(&mut byte).is_ok_and(|read| read > 0));
        let mut during = TcpStream::connect(relay.address()).unwrap();
        assert!(!during.read(&mut byte).is_ok_and(|read| read > 0));
        relay.heal();
        let mut after = TcpStream::connect(relay.address()).unwrap();
        after.write_all(b"b").unwrap();
        after.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"b");
    }
}
