// One request in an isolate of its own.
self.onmessage = ({ data }) => self.postMessage({ message: `Hello ${data.name}!` })
