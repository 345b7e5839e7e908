// Counts the lines of a page that is sent deflated.
const http = require('http')
const zlib = require('zlib')

http.get(process.argv[2], {headers: {'Accept-Encoding': 'gzip'}}, reply => {
	let lines = 0
	reply.pipe(zlib.createGunzip())
		.on('data', chunk => { for (const byte of chunk) if (byte === 10) lines++ })
		.on('end', () => console.log(lines))
})
