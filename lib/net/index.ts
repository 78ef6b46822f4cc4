/**
 * What a server on raw epoll needs: TCP and unix listeners and connections, datagrams by the batch,
 * descriptors sent through sockets.
 *
 * @module genpoll/net
 */
export type { Address, AddressLike, IpAddress, UnixAddress } from '../address.js'
export { type BatchOptions, DatagramBatch } from './batch.js'
export { Connection, type ConnectionHandlers, type ConnectionOptions } from './connection.js'
export { Datagram, type Received, type UdpOptions } from './datagram.js'
export { Listener, type ListenOptions, type TcpListenOptions } from './listener.js'
export { fdOf } from './node.js'
export type { SocketOption } from './options.js'
export { type ServeOptions, type Service, serve } from './serve.js'
export { type ConnectOptions, type ReceivedFds, Socket, type TcpConnectOptions } from './socket.js'
