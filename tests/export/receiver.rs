//! A server that takes webhooks, or does what a bad one does.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use harness::{Identity, TestPki};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, server::WebPkiClientVerifier};
use serde_json::Value;

/// The key of the tests.
pub(crate) const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD5WqNTP9QkzQ=";

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// An answer with this status and these header lines.
    Status(u16, &'static str),
    /// No answer, the connection stays open.
    Hang,
    /// No answer, the connection closes.
    Close,
}

/// A request that was read whole.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Whether it was answered with success.
    pub(crate) taken: bool,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.body))
    }

    /// Checks the signature as a receiver has to: over identifier, time and body, the time being now.
    #[track_caller]
    pub(crate) fn verify(&self) {
        let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
        let (id, time) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let signed = format!("{id}.{time}.{}", self.body);
        let signature = self.header("webhook-signature").strip_prefix("v1,").expect("version 1 of the signature");
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
        let given = STANDARD.decode(signature).unwrap();
        aws_lc_rs::hmac::verify(&key, signed.as_bytes(), &given).expect("the signature is right");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        assert!(now.abs_diff(time.parse().unwrap()) < 300, "the time is now: {time}");
        if !self.body.starts_with('[') {
            assert_eq!(self.json()["id"], id, "the identifier is the event's");
        }
    }
}

#[derive(Default)]
struct State {
    script: VecDeque<Reply>,
    otherwise: Option<Reply>,
    refuse: Option<String>,
    seen: Vec<Request>,
}

/// The server; it ends with the test.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// Answers 204, after what the script says.
    pub(crate) fn start(script: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { script: script.into(), ..State::default() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &state));
            }
        });
        Self { address, state }
    }

    /// As [`Self::start`], over TLS, and only for clients that the authority vouches for.
    pub(crate) fn start_tls(pki: &TestPki, own: &Identity) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let mut roots = RootCertStore::empty();
        roots.add(pki.anchor()).unwrap();
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
        let config = ServerConfig::builder().with_client_cert_verifier(verifier);
        let config = Arc::new(config.with_single_cert(vec![own.certificate.clone()], own.key()).unwrap());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, config) = (Arc::clone(&shared), Arc::clone(&config));
                thread::spawn(move || {
                    let connection = ServerConnection::new(config).unwrap();
                    serve(StreamOwned::new(connection, stream), &state);
                });
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/alarms", self.address)
    }

    /// From now on every request is dealt with like this; `None`: 204.
    pub(crate) fn otherwise(&self, reply: Option<Reply>) {
        self.state.lock().unwrap().otherwise = reply;
    }

    /// Requests with this text are answered 422.
    pub(crate) fn refuse(&self, text: Option<&str>) {
        self.state.lock().unwrap().refuse = text.map(ToOwned::to_owned);
    }

    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.state.lock().unwrap().seen.clone()
    }

    /// The events that were taken, in the order of arrival.
    pub(crate) fn taken(&self) -> Vec<Value> {
        let taken = self.seen().into_iter().filter(|request| request.taken);
        taken
            .flat_map(|request| match request.json() {
                Value::Array(list) => list,
                one => vec![one],
            })
            .collect()
    }
}

fn serve(stream: impl Read + Write, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(": ") {
                headers.push((name.to_ascii_lowercase(), value.to_owned()));
            }
        }
        let length = headers.iter().find(|(name, _)| name == "content-length").map_or("0", |(_, value)| value);
        let mut body = vec![0; length.parse().unwrap()];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let body = String::from_utf8(body).unwrap();
        let reply = {
            let mut state = state.lock().unwrap();
            let refused = state.refuse.as_ref().is_some_and(|text| body.contains(text));
            let reply = match state.script.pop_front() {
                Some(reply) => reply,
                None if refused => Reply::Status(422, ""),
                None => state.otherwise.clone().unwrap_or(Reply::Status(204, "")),
            };
            let taken = matches!(reply, Reply::Status(200..=299, _));
            state.seen.push(Request { headers, body, taken });
            reply
        };
        match reply {
            Reply::Close => return,
            // Until the other side gives up.
            Reply::Hang => {
                let mut nothing = [0];
                let _ended = reader.read(&mut nothing);
                return;
            }
            Reply::Status(status, more) => {
                let answer = format!("HTTP/1.1 {status} Status\r\n{more}content-length: 0\r\n\r\n");
                let stream = reader.get_mut();
                if stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).is_err() {
                    return;
                }
            }
        }
    }
}
