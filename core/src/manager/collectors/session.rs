//! A component that is collected, connected to its interface like one that reports by itself: by a pipe inside the process
//! instead of TLS. Everything behind it is the same: limits, decoding, handler, journal, answers, requests.
//!
//! In: extensions. Out: what the manager answered, and its requests for a report now.

use std::{collections::VecDeque, time::Duration};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use crate::{
    collect::report::{self, Heard},
    config::limits::COLLECTOR_ANSWER_WAIT,
    model::ComponentRef,
};

/// The component's end of the pipe.
pub(super) struct Session {
    component: ComponentRef,
    pipe: DuplexStream,
    buffer: Vec<u8>,
    next: u64,
    /// Requests that are not answered yet.
    requests: VecDeque<String>,
    /// An empty line that often keeps the connection from being idle.
    pub(super) keep_alive: Duration,
}

/// The manager closed the connection.
#[derive(Debug)]
pub(super) struct Gone;

impl Session {
    pub(super) fn new(component: ComponentRef, pipe: DuplexStream, idle_timeout: Duration) -> Self {
        let keep_alive = (idle_timeout / 3).max(Duration::from_millis(50));
        Self { component, pipe, buffer: Vec::new(), next: 1, requests: VecDeque::new(), keep_alive }
    }

    pub(super) const fn component(&self) -> &ComponentRef {
        &self.component
    }

    /// Hands a report in and waits for the answer: `None` is success, else the reason.
    pub(super) async fn report(&mut self, extension: &str) -> Result<Option<String>, Gone> {
        let id = self.next.to_string();
        self.next += 1;
        self.write(&report::status_report(self.component.id.as_str(), &id, extension)).await?;
        let answer = async {
            loop {
                match report::heard(&self.line().await?) {
                    Heard::Answer(known, response) if known == id => return Ok(response),
                    // Without a number: the last word of a connection that is closed.
                    Heard::Answer(known, _) if known.is_empty() => return Err(Gone),
                    Heard::Request(request) => self.requests.push_back(request),
                    Heard::Answer(..) | Heard::Other => {}
                }
            }
        };
        let response = tokio::time::timeout(COLLECTOR_ANSWER_WAIT, answer).await.map_err(|_| Gone)??;
        Ok((!response.eq_ignore_ascii_case("success")).then_some(response))
    }

    /// Whether the manager waits for a report.
    pub(super) fn is_asked(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Waits for a request, for as long as the connection lasts. What was read of a line stays when this is dropped.
    pub(super) async fn asked(&mut self) -> Result<(), Gone> {
        while self.requests.is_empty() {
            match report::heard(&self.line().await?) {
                Heard::Request(request) => self.requests.push_back(request),
                Heard::Answer(known, _) if known.is_empty() => return Err(Gone),
                Heard::Answer(..) | Heard::Other => {}
            }
        }
        Ok(())
    }

    /// Answers all requests.
    pub(super) async fn answer(&mut self, extension: &str) -> Result<(), Gone> {
        while let Some(request) = self.requests.pop_front() {
            self.write(&report::request_response(self.component.id.as_str(), &request, extension)).await?;
        }
        Ok(())
    }

    /// Says that the component is still there.
    pub(super) async fn stay(&mut self) -> Result<(), Gone> {
        self.write(b"\n").await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        let written = tokio::time::timeout(COLLECTOR_ANSWER_WAIT, self.pipe.write_all(bytes)).await;
        written.map_err(|_| Gone)?.map_err(|_| Gone)
    }

    async fn line(&mut self) -> Result<Vec<u8>, Gone> {
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer) {
                let rest = self.buffer.split_off(at + 1);
                return Ok(std::mem::replace(&mut self.buffer, rest));
            }
            if self.pipe.read_buf(&mut self.buffer).await.map_err(|_| Gone)? == 0 {
                return Err(Gone);
            }
        }
    }
}
